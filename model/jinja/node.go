package jinja

// Expressions.
type (
	expression interface{ at() place }

	constant struct {
		place
		value Value
	}
	name struct {
		place
		name string
	}
	sequence struct { // a list or tuple
		place
		items []expression
		tuple bool
	}
	mapping struct {
		place
		keys, values []expression
	}
	attribute struct { // of.name
		place
		of   expression
		name string
	}
	item struct { // of[key]
		place
		of, key expression
	}
	slice struct { // the key in of[from:to:step]; each may be nil
		place
		from, to, step expression
	}
	call struct {
		place
		of   expression
		args arguments
	}
	filter struct {
		place
		of   expression // nil in {% filter %} and {% set x | filter %}
		name string
		args arguments
	}
	test struct {
		place
		of   expression
		name string
		args arguments
	}
	unary struct {
		place
		op string // - + not
		of expression
	}
	binary struct { // arithmetic
		place
		op          string
		left, right expression
	}
	logical struct {
		place
		and         bool
		left, right expression
	}
	comparison struct { // left op[0] right[0] op[1] right[1] …
		place
		left  expression
		ops   []string
		right []expression
	}
	concatenation struct { // a ~ b ~ …
		place
		parts []expression
	}
	conditional struct { // then if test else otherwise
		place
		test, then, otherwise expression // otherwise may be nil
	}
	// arguments is what stands between the parentheses of a call.
	arguments struct {
		positional []expression
		names      []string
		named      []expression
		list, dict expression // *list, **dict; each may be nil
	}
)

// Statements.
type (
	statement interface{ at() place }

	data struct {
		place
		text string
	}
	output struct {
		place
		values []expression
	}
	forLoop struct {
		place
		target    expression
		over      expression
		test      expression // may be nil
		recursive bool
		body      []statement
		otherwise []statement
	}
	branch struct {
		test expression // nil for else
		body []statement
	}
	ifElse struct {
		place
		branches []branch
	}
	assignment struct {
		place
		target expression
		value  expression
	}
	capture struct { // {% set x %}…{% endset %}
		place
		target  expression
		filters expression // may be nil
		body    []statement
	}
	macro struct {
		place
		name      string
		signature signature
		body      []statement
		// Whether the body names what it would take more arguments by.
		varargs, kwargs, caller bool
	}
	callBlock struct {
		place
		call   *call
		caller *macro
	}
	filterBlock struct {
		place
		filters expression
		body    []statement
	}
	with struct {
		place
		targets, values []expression
		body            []statement
	}
	block struct { // a scope of its own: generation, or a named block, which sees the template's variables alone
		place
		outermost bool
		body      []statement
	}
	jump struct { // break or continue
		place
		flow flow
	}
	signature struct {
		params   []string
		defaults []expression // of the last parameters
	}
)

func (p place) at() place { return p }
