package eval

import "strings"

// Overlap is how much of two texts is the same: the Dice coefficient of their
// word n-grams, averaged over n from 1 to 3. It is the baseline of a judge that
// compares surfaces.
func Overlap(a, b string) float64 {
	x, y := words(a), words(b)
	sum := 0.0
	for n := 1; n <= 3; n++ {
		sum += dice(x, y, n)
	}
	return sum / 3
}

// dice is twice the n-grams that two texts share over those they have.
func dice(a, b []string, n int) float64 {
	total := max(0, len(a)-n+1) + max(0, len(b)-n+1)
	if total == 0 {
		return 1
	}
	counts := make(map[string]int)
	for i := 0; i+n <= len(a); i++ {
		counts[strings.Join(a[i:i+n], " ")]++
	}
	common := 0
	for i := 0; i+n <= len(b); i++ {
		if gram := strings.Join(b[i:i+n], " "); counts[gram] > 0 {
			counts[gram]--
			common++
		}
	}
	return 2 * float64(common) / float64(total)
}

// words splits a text into runs of letters and digits and single other signs.
func words(s string) []string {
	var list []string
	start := -1
	for i, r := range s {
		word := r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' || r >= 0x80
		if word && start < 0 {
			start = i
		}
		if !word {
			if start >= 0 {
				list = append(list, s[start:i])
				start = -1
			}
			if r > ' ' {
				list = append(list, string(r))
			}
		}
	}
	if start >= 0 {
		list = append(list, s[start:])
	}
	return list
}

// equality is 1 for equal texts, 0 for others.
func equality(a, b string) float64 {
	if a == b {
		return 1
	}
	return 0
}
