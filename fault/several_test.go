package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSeveral(t *testing.T) {
	var s Several
	if s.Add(nil); s.Err() != nil {
		t.Fatalf("nothing is %v", s.Err())
	}
	first := errors.New("the first")
	s.Add(first)
	for i := range 1 << 20 {
		s.Add(fmt.Errorf("entry %d", i))
	}
	err := s.Err()
	if !errors.Is(err, first) {
		t.Error("the first error is not kept")
	}
	if text := err.Error(); len(text) > 1000 || !strings.HasPrefix(text, "the first\nentry 0\n") || !strings.HasSuffix(text, "\nand 1048561 more") {
		t.Errorf("%d bytes: %.200s", len(text), text)
	}
}
