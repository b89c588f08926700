// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Uninstall is tried until the plugin is gone, through an error, and says each thing once.
func TestUntilGone(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "cni-guard")
	if err := os.WriteFile(plugin, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := &cobra.Command{Use: "uninstall"}
	cmd.SetOut(&out)
	c := &changeFlags{cmd: cmd}
	c.request.Site.BinDir = filepath.Dir(plugin)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := c.repeat(ctx, 0, func() ([]string, error) {
		tries++
		switch tries {
		case 1, 2:
			return []string{"the plugin stays: pods use it"}, nil
		case 3:
			return nil, errors.New("another guardctl is at work")
		case 4:
			if err := os.Remove(plugin); err != nil {
				t.Error(err)
			}
			cancel() // it would wait to be stopped
			return nil, nil
		}
		t.Error("it goes on when the plugin is gone")
		return nil, nil
	})
	if err != nil || tries != 4 {
		t.Errorf("%d tries, %v", tries, err)
	}
	for want, count := range map[string]int{"pods use it": 1, "another guardctl": 1, "the programs are gone": 1} {
		if got := strings.Count(out.String(), want); got != count {
			t.Errorf("%q is printed %d times in\n%s", want, got, out.String())
		}
	}
}

// It ends when it is stopped, whether or not the plugin is gone.
func TestUntilGoneStopped(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "cni-guard")
	if err := os.WriteFile(plugin, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	c := &changeFlags{cmd: &cobra.Command{Use: "uninstall"}}
	c.request.Site.BinDir = filepath.Dir(plugin)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.repeat(ctx, tryAgain, func() ([]string, error) {
		cancel()
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}
