package constrain

import "sync"

// formats are those of JSON Schema's format that are enforced, as far as a regular
// expression goes: dates are days that every year has, addresses and names of hosts
// are of the usual form.
var formats = map[string]func() regex{
	"date":      func() regex { return date },
	"time":      func() regex { return clock },
	"date-time": func() regex { return concat{date, exactly("T"), clock} },
	"duration":  func() regex { return duration },
	"uuid": func() regex {
		hex := runes{{'0', '9'}, {'a', 'f'}}
		return concat{times(hex, 8, 8), times(concat{exactly("-"), times(hex, 4, 4)}, 3, 3), exactly("-"), times(hex, 12, 12)}
	},
	"ipv4": func() regex {
		return concat{byteNumber, times(concat{exactly("."), byteNumber}, 3, 3)}
	},
	"ipv6": func() regex {
		group := times(runes{{'0', '9'}, {'a', 'f'}}, 1, 4)
		return concat{group, times(concat{exactly(":"), group}, 7, 7)}
	},
	"hostname": func() regex { return host },
	"email": func() regex {
		local := times(runes{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}, {'-', '-'}, {'+', '+'}}, 1, 32)
		return concat{local, times(concat{exactly("."), local}, 0, 1), exactly("@"), host}
	},
	"uri": func() regex {
		rest := runes{{'!', '!'}, {'#', '$'}, {'&', ';'}, {'=', '='}, {'?', 'Z'}, {'_', '_'}, {'a', 'z'}, {'~', '~'}}
		return concat{runes{{'A', 'Z'}, {'a', 'z'}}, times(runes{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'+', '+'}, {'-', '.'}}, 0, 15), exactly("://"), repeat{rest, 1, -1}}
	},
}

var (
	byteNumber = alternate{digit, concat{nonzero, digit}, concat{exactly("1"), digit, digit}, concat{exactly("2"), between('0', '4'), digit}, concat{exactly("25"), between('0', '5')}}

	// RFC 3339, section 5.6, without 29 February.
	date = concat{times(digit, 4, 4), exactly("-"), alternate{
		concat{alternate{exactly("01"), exactly("03"), exactly("05"), exactly("07"), exactly("08"), exactly("10"), exactly("12")}, exactly("-"), dayTo("31")},
		concat{alternate{exactly("04"), exactly("06"), exactly("09"), exactly("11")}, exactly("-"), dayTo("30")},
		concat{exactly("02-"), dayTo("28")},
	}}
	hour   = alternate{concat{between('0', '1'), digit}, concat{exactly("2"), between('0', '3')}}
	minute = concat{between('0', '5'), digit}
	clock  = concat{hour, exactly(":"), minute, exactly(":"), minute, optional(concat{exactly("."), times(digit, 1, 9)}),
		alternate{exactly("Z"), concat{oneChar("+-"), hour, exactly(":"), minute}}}

	// RFC 3339, appendix A, one unit of a date and those of a time.
	count    = times(digit, 1, 6)
	duration = concat{exactly("P"), alternate{
		concat{count, oneChar("YMWD")},
		concat{optional(concat{count, exactly("D")}), exactly("T"), alternate{
			concat{count, exactly("H"), optional(concat{count, exactly("M"), optional(concat{count, exactly("S")})})},
			concat{count, exactly("M"), optional(concat{count, exactly("S")})},
			concat{count, exactly("S")},
		}},
	}}

	alphanumeric = runes{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}
	label        = concat{alphanumeric, optional(concat{times(runes{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'-', '-'}}, 0, 30), alphanumeric})}
	host         = concat{label, times(concat{exactly("."), label}, 0, 4)}
)

func dayTo(last string) regex { return digitsBetween("01", last) }

// compiledFormats are made when they are first asked for.
var compiledFormats sync.Map

// format is the automaton of a format, between quotes; nil if it is not known.
func format(name string) (*dfa, error) {
	if d, ok := compiledFormats.Load(name); ok {
		return d.(*dfa), nil
	}
	r, ok := formats[name]
	if !ok {
		return nil, nil
	}
	d, err := compileRegex(r(), true, nil)
	if err != nil {
		return nil, err
	}
	kept, _ := compiledFormats.LoadOrStore(name, d)
	return kept.(*dfa), nil
}
