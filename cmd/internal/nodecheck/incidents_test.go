// SPDX-License-Identifier: Apache-2.0

package nodecheck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/nodecheck"
)

// Repeats are one incident, old ones are left out, and a damaged line hides none.
func TestIncidents(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(at, msg, more string) string {
		return `{"time":"` + at + `","level":"WARN","msg":"` + msg + `","command":"ADD","check":"conflist","state":"failed","policy":"warn"` + more + "}\n"
	}
	write("events.jsonl", line("2026-01-01T10:00:00Z", "old", "")+
		line("2026-01-02T09:00:00Z", "x is y", `,"containerID":"c1"`)+
		"{torn\n"+
		line("2026-01-02T09:30:00Z", "z is w", `,"pod":"default/web"`)+
		line("2026-01-02T10:00:00Z", "x is y", `,"containerID":"c1","count":10,"since":"2026-01-02T09:00:00Z"`))
	got, err := nodecheck.Incidents(dir, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("error %v, want one about line 3", err)
	}
	if len(got) != 2 {
		t.Fatalf("%d incidents, want 2: %+v", len(got), got)
	}
	if i := got[0]; i.Message != "z is w" || i.Pod != "default/web" || i.State != "warned" || i.Count != 1 {
		t.Errorf("the older incident is %+v", i)
	}
	if i := got[1]; i.Message != "x is y" || i.Pod != "c1" || i.Count != 10 || !i.Time.Equal(time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)) || !i.Last.Equal(i.Time.Add(time.Hour)) {
		t.Errorf("the newer incident is %+v", i)
	}
	if none, err := nodecheck.Incidents(filepath.Join(dir, "none"), time.Time{}); err != nil || none == nil || len(none) > 0 {
		t.Errorf("without a directory: %v, error %v", none, err)
	}
}
