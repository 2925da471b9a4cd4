package kernel

import "testing"

func TestKeyedNumbers(t *testing.T) {
	for _, tc := range []struct {
		text, key string
		want      int
		ok        bool
	}{
		{"max 3", "max", 3, true},
		{"low 0\nhigh 0\nmax 12\noom 0", "max", 12, true},
		{"usage_usec 1\nnr_periods 4\nnr_throttled 2\n", "nr_throttled", 2, true},
		{"254:16 rbytes=4096 wbytes=0 rios=1", "rbytes", 4096, true},
		{"oom_max 3", "max", 0, false},
		{"", "max", 0, false},
	} {
		if n, ok := keyed(tc.text, tc.key); n != tc.want || ok != tc.ok {
			t.Errorf("keyed(%q, %q) = %d, %v", tc.text, tc.key, n, ok)
		}
	}
}
