// SPDX-License-Identifier: Apache-2.0

package supports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const answers = `echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'`

func TestAsked(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		mode    os.FileMode
		version string
		want    string // a part of the error
	}{
		"supported":     {answers, 0o755, "1.0.0", ""},
		"not supported": {answers, 0o755, "0.3.1", "it does not support cniVersion 0.3.1, but 0.4.0, 1.0.0"},
		"another verb":  {`[ "$CNI_COMMAND" = VERSION ] && ` + answers, 0o755, "0.4.0", ""},
		"fails":         {"exit 1", 0o755, "1.0.0", "it does not answer VERSION"},
		"prints junk":   {"echo hello", 0o755, "1.0.0", "it does not answer VERSION"},
		"not a program": {answers, 0o644, "1.0.0", "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			plugin := filepath.Join(t.TempDir(), "plugin")
			if err := os.WriteFile(plugin, []byte("#!/bin/sh\n"+c.body+"\n"), c.mode); err != nil {
				t.Fatal(err)
			}
			err := Asked(time.Minute)(plugin, c.version)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A plugin is started once, however often somebody asks.
func TestAskedOnce(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(plugin, []byte("#!/bin/sh\n"+answers+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	asked := Asked(time.Minute)
	if err := asked(plugin, "1.0.0"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(plugin); err != nil {
		t.Fatal(err)
	}
	if err := asked(plugin, "0.4.0"); err != nil {
		t.Errorf("it was asked again: %v", err)
	}
}
