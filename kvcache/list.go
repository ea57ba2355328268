package kvcache

// none is the end of a list, the parent of a first block, and no block.
const none = -1

// list is a doubly linked list of small integers, of blocks or of pages. An
// integer is in one list at most, so the links of all lists of one kind are one
// slice, indexed by it and passed to each call. Adding and removing anywhere
// costs O(1) and allocates nothing.
type list struct {
	head, tail int32
	n          int
}

type link struct{ prev, next int32 }

func emptyList() list { return list{head: none, tail: none} }

func (l *list) pushFront(links []link, i int32) {
	links[i] = link{prev: none, next: l.head}
	if l.head == none {
		l.tail = i
	} else {
		links[l.head].prev = i
	}
	l.head = i
	l.n++
}

func (l *list) pushBack(links []link, i int32) {
	links[i] = link{prev: l.tail, next: none}
	if l.tail == none {
		l.head = i
	} else {
		links[l.tail].next = i
	}
	l.tail = i
	l.n++
}

func (l *list) remove(links []link, i int32) {
	x := links[i]
	if x.prev == none {
		l.head = x.next
	} else {
		links[x.prev].next = x.next
	}
	if x.next == none {
		l.tail = x.prev
	} else {
		links[x.next].prev = x.prev
	}
	l.n--
}
