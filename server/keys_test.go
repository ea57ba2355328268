package server

import (
	"slices"
	"strings"
	"testing"
)

func TestReadKeys(t *testing.T) {
	keys, err := ReadKeys(strings.NewReader("# team keys\n\n  alice   sk-0123456789abcdef \nbob\tsk-fedcba9876543210\r\n"))
	want := []Key{{"alice", "sk-0123456789abcdef"}, {"bob", "sk-fedcba9876543210"}}
	if err != nil || len(keys) != 2 || keys[0] != want[0] || keys[1] != want[1] {
		t.Errorf("got %v, %v; want %v", keys, err, want)
	}
	const secret = "sk-0123456789abcdef"
	for _, c := range []struct{ text, want string }{
		{"", "no key in 0 lines"},
		{"# nothing\n\n", "no key in 2 lines"},
		{"alice\n", "line 1: 1 words"},
		{"alice " + secret + " more\n", "line 1: 3 words"},
		{"a " + secret + "\nal/ice " + secret + "x\n", "line 2: the name"},
		{"-alice " + secret + "\n", "line 1: the name"},
		{strings.Repeat("a", 65) + " " + secret + "\n", "line 1: the name"},
		{"alice short\n", "line 1: the key of alice has 5 characters"},
		{"alice " + strings.Repeat("x", 513) + "\n", "line 1: the key of alice has 513 characters"},
		{"alice sk-0123456789abcdéf\n", "line 1: the key of alice has characters"},
		{"alice sk-0123456789abc\x00def\n", "line 1: the key of alice has characters"},
		{"a " + secret + "\n\na " + secret + "x\n", "line 3: the name a is on line 1 too"},
		{"a " + secret + "\nb " + secret + "\n", "line 2: the key of b is on line 1 too"},
		{"a " + secret + "\n" + strings.Repeat("x", 2000) + "\n", "line 2: "},
	} {
		_, err := ReadKeys(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v; want %q", c.text, err, c.want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%.60q: the message holds the key: %v", c.text, err)
		}
	}
}

func FuzzReadKeys(f *testing.F) {
	f.Add("alice sk-0123456789abcdef\n# bob\nbob sk-fedcba9876543210")
	f.Add("a b c")
	f.Add("\xff\x00 0123456789abcdef0")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ReadKeys(strings.NewReader(text))
		if err != nil {
			return
		}
		set := NewKeys(keys)
		for _, k := range keys {
			if name, ok := set.name(k.Secret); !ok || name != k.Name {
				t.Errorf("the key of %s is known as %q, %v", k.Name, name, ok)
			}
			part := k.Secret[:len(k.Secret)-1]
			known := slices.ContainsFunc(keys, func(o Key) bool { return o.Secret == part })
			if _, ok := set.name(part); ok != known {
				t.Errorf("a part of the key of %s opens", k.Name)
			}
		}
	})
}

func TestKeysReplaced(t *testing.T) {
	var none Keys
	if _, ok := none.name(""); ok {
		t.Error("no keys take the empty one")
	}
	k := NewKeys([]Key{{"a", "0123456789abcdef"}})
	k.Replace([]Key{{"b", "fedcba9876543210"}})
	if _, ok := k.name("0123456789abcdef"); ok {
		t.Error("a key that is gone still opens")
	}
	if name, ok := k.name("fedcba9876543210"); !ok || name != "b" {
		t.Errorf("got %q, %v; want b", name, ok)
	}
}
