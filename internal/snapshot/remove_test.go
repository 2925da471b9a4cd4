package snapshot

import (
	"errors"
	"os"
	"testing"
)

// quarantined quarantines the subject's snapshot for an error, and says whether for good.
func quarantined(t *testing.T, s *Store, why func(*Snapshot) error) bool {
	t.Helper()
	snap, err := s.Find(subject)
	check(t, err)
	var bad *BadError
	if !errors.As(why(snap), &bad) {
		t.Fatal("the snapshot is not to blame")
	}
	forGood, err := s.Quarantine(bad)
	check(t, err)
	if _, err := s.Find(subject); !errors.Is(err, os.ErrNotExist) || isBad(err) {
		t.Errorf("it is still there: %v", err)
	}
	return forGood
}

func refused(snap *Snapshot) error { return snap.Refused(errors.New("invalid argument")) }

func TestASnapshotThatIsRefusedAtOnceIsNotMadeAgain(t *testing.T) {
	s := made(t)
	if !quarantined(t, s, refused) {
		t.Error("another would be made")
	}
	if ok, err := s.Make(subject, write); ok || err != nil {
		t.Errorf("Make = %v, %v", ok, err)
	}
	all, err := s.List()
	check(t, err)
	if len(all) != 1 || all[0].Size() != 0 {
		t.Fatalf("List = %v", all)
	}
	check(t, s.Remove(all[0].Name))
	if ok, err := s.Make(subject, write); !ok || err != nil {
		t.Errorf("Make after Remove = %v, %v", ok, err)
	}
}

func TestASnapshotThatWorkedOrThatAnotherMayReplaceIsMadeAgain(t *testing.T) {
	for name, why := range map[string]func(*Snapshot) error{
		"worked":  func(snap *Snapshot) error { snap.Worked(); return refused(snap) },
		"useless": func(snap *Snapshot) error { return snap.Useless(errors.New("its host is mute")) },
		"torn":    func(snap *Snapshot) error { return snap.bad(errors.New("its file is short")) },
	} {
		s := made(t)
		if quarantined(t, s, why) {
			t.Errorf("%s: no other would be made", name)
		}
		if ok, err := s.Make(subject, write); !ok || err != nil {
			t.Errorf("%s: Make = %v, %v", name, ok, err)
		}
	}
}
