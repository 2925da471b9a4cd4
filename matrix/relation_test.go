package matrix

import "testing"

func TestRelationsAreReadAsDebianWritesThem(t *testing.T) {
	for text, want := range map[string]relation{
		"libxenmisc4.17":                              {name: "libxenmisc4.17"},
		"libvirt-daemon (<< 7.2.0-1)":                 {name: "libvirt-daemon", op: "<<", version: "7.2.0-1"},
		"qemu-kvm (= 1:10.0.2+ds-2+deb13u1~bpo12+1)":  {name: "qemu-kvm", op: "=", version: "1:10.0.2+ds-2+deb13u1~bpo12+1"},
		"python3:any":                                 {name: "python3"},
		"python3:any (>= 3.9~)":                       {name: "python3", op: ">=", version: "3.9~"},
		"libc6:i386":                                  {name: "libc6", elsewhere: true},
		"libc6(>=2.28)":                               {name: "libc6", op: ">=", version: "2.28"},
		"old (< 2)":                                   {name: "old", op: "<=", version: "2"},
		"old (> 2)":                                   {name: "old", op: ">=", version: "2"},
		"seabios [amd64 i386]":                        {name: "seabios"},
		"seabios (>= 1.2) [linux-any]":                {name: "seabios", op: ">=", version: "1.2"},
		"slof [ppc64el]":                              {name: "slof", elsewhere: true},
		"slof [!amd64]":                               {name: "slof", elsewhere: true},
		"seabios [!arm64 !s390x]":                     {name: "seabios"},
		"debhelper (>= 13) [amd64] <!nocheck> <!doc>": {name: "debhelper", op: ">=", version: "13"},
	} {
		if got, err := parseRelation(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a b", "a (7)", "a (~ 7)", "a (<< )", "-a", "a (= 1", "a | b"} {
		if got, err := parseRelation(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestARelationIsMetByVersionsAndByWhatIsProvided(t *testing.T) {
	for _, tc := range []struct {
		text string
		by   offer
		want bool
	}{
		{"libvirt-daemon (<< 7.2.0-1)", offer{"libvirt-daemon", "7.0.0-3+deb11u3"}, true},
		{"libvirt-daemon (<< 7.2.0-1)", offer{"libvirt-daemon", "7.2.0-1"}, false},
		{"libvirt-daemon (<= 7.2.0-1)", offer{"libvirt-daemon", "7.2.0-1"}, true},
		{"libvirt-daemon (= 7.2.0-1)", offer{"libvirt-daemon", "7.2.0-1+b1"}, false},
		{"libvirt-daemon (>= 7.2.0-1)", offer{"libvirt-daemon", "10.0.0-1"}, true},
		{"libvirt-daemon (>= 7.2.0-1)", offer{"libvirt-daemon", "7.2.0~rc1-1"}, false},
		{"libvirt-daemon (>> 7.2.0-1)", offer{"libvirt-daemon", "7.2.0-1"}, false},
		{"libvirt-daemon (>> 7.2.0-1)", offer{"libvirt-daemon", "7.2.0-1+b1"}, true},
		{"libvirt-daemon", offer{"libvirt-daemon-driver-qemu", "7.0.0"}, false},
		{"libvirt-daemon:i386", offer{"libvirt-daemon", "7.0.0"}, false},
		// What is provided without a version is of no version.
		{"qemu-kvm", offer{"qemu-kvm", ""}, true},
		{"qemu-kvm (>= 1:5.2)", offer{"qemu-kvm", ""}, false},
		{"qemu-kvm (>= 1:5.2)", offer{"qemu-kvm", "1:10.0.2+ds-2"}, true},
	} {
		r, err := parseRelation(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.metBy(tc.by, Compare); got != tc.want {
			t.Errorf("%s is met by %v: %t, want %t", tc.text, tc.by, got, tc.want)
		}
	}
}
