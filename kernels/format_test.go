package kernels

import "testing"

func TestFormats(t *testing.T) {
	for i, f := range Formats() {
		if int(f) != i {
			t.Errorf("format %d of the list is %v", i, f)
		}
		if got, err := ParseFormat(f.String()); got != f || err != nil {
			t.Errorf("ParseFormat(%q) = %v, %v; want %v", f, got, err, f)
		}
		if g := f.Group(); g > 0 && f.Bytes(int64(g)) != f.Bytes(int64(2*g))/2 {
			t.Errorf("%v: a group of %d takes %d bytes, two take %d", f, g, f.Bytes(int64(g)), f.Bytes(int64(2*g)))
		}
	}
	for _, name := range []string{"", "F32", "int2"} {
		if f, err := ParseFormat(name); err == nil {
			t.Errorf("ParseFormat(%q) = %v; want an error", name, f)
		}
	}
	if got, want := Int4.Bytes(64), int64(36); got != want {
		t.Errorf("64 numbers in int4 take %d bytes; want %d", got, want)
	}
}
