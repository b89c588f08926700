// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Of returns the path of a file in the conf dir. Scenarios that ask for it are not
// played on runtimes that select no file.
func (s *Rig) Of(name string) string { return filepath.Join(s.selector().ConfDir(), name) }

// OwnFile returns the path of the file that has the pods' own network.
func (s *Rig) OwnFile() string { return s.Of(s.selector().Own()) }

// KeepFile returns the path of the file that has the guard in it.
func (s *Rig) KeepFile() string {
	if own := s.Of("00-cni-guard.conflist"); exists(own) {
		return own
	}
	return s.OwnFile()
}

// Product is what the option --runtime of guardctl calls the runtime.
func (s *Rig) Product() string { return s.selector().Product() }

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (s *Rig) selector() runtimes.Selector { return s.Runtime.(runtimes.Selector) }

// Write puts a file into the conf dir as cp, or a careless installer, does: the
// runtime looks at the directory again as soon as something is written.
func (s *Rig) Write(name string, text []byte) error {
	if err := leave(s.Of(name), text); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// Install renames a file into place within the conf dir, as a careful installer
// does. The runtime looks at the directory again, because of the old name.
func (s *Rig) Install(name string, text []byte) error {
	if err := s.Write(name+".tmp", text); err != nil {
		return err
	}
	if err := os.Rename(s.Of(name+".tmp"), s.Of(name)); err != nil {
		return fmt.Errorf("install configuration: %w", err)
	}
	return nil
}

// Slip moves a file into the conf dir from elsewhere, as mv does. containerd sees
// that a file was made, and does not look at it before something else happens.
func (s *Rig) Slip(name string, text []byte) error {
	elsewhere := filepath.Join(s.site.Disk, "slipped")
	if err := leave(elsewhere, text); err != nil {
		return fmt.Errorf("slip in configuration: %w", err)
	}
	if err := os.Rename(elsewhere, s.Of(name)); err != nil {
		return fmt.Errorf("slip in configuration: %w", err)
	}
	return nil
}

// InstallNow is Install of a file that was made this moment.
func (s *Rig) InstallNow(name string, text []byte) error {
	if err := os.WriteFile(s.Of(name+".tmp"), text, 0o644); err != nil {
		return fmt.Errorf("install configuration: %w", err)
	}
	if err := os.Rename(s.Of(name+".tmp"), s.Of(name)); err != nil {
		return fmt.Errorf("install configuration: %w", err)
	}
	return nil
}

// SlipNow is Slip of a file that was made this moment.
func (s *Rig) SlipNow(name string, text []byte) error {
	elsewhere := filepath.Join(s.site.Disk, "slipped")
	if err := os.WriteFile(elsewhere, text, 0o644); err != nil {
		return fmt.Errorf("slip in configuration: %w", err)
	}
	if err := os.Rename(elsewhere, s.Of(name)); err != nil {
		return fmt.Errorf("slip in configuration: %w", err)
	}
	return nil
}

// WriteSlowly writes a file in place in two halves, some milliseconds apart.
func (s *Rig) WriteSlowly(name string, text []byte) error {
	f, err := os.OpenFile(s.Of(name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer f.Close()
	for _, half := range [][]byte{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := f.Write(half); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// Link puts a symbolic link into place, to a file outside of the conf dir.
func (s *Rig) Link(name string, text []byte) error {
	target := filepath.Join(s.site.Disk, "linked")
	if err := os.WriteFile(target, text, 0o644); err != nil {
		return fmt.Errorf("link configuration: %w", err)
	}
	if err := os.Symlink(target, s.Of(name+".tmp")); err != nil {
		return fmt.Errorf("link configuration: %w", err)
	}
	if err := os.Rename(s.Of(name+".tmp"), s.Of(name)); err != nil {
		return fmt.Errorf("link configuration: %w", err)
	}
	return nil
}

// RewriteOwn writes the pods' own file as the network plugin does that knows no guard. Each
// time it is another text, as a plugin writes that was upgraded.
func (s *Rig) RewriteOwn(n int) error {
	text := marshal(map[string]any{
		"cniVersion": s.version(), "name": chain.Name, "plugins": s.network(), "io.example/revision": n,
	})
	return s.InstallNow(s.selector().Own(), text)
}

// HasGuard reports whether the pods' own file names the guard.
func (s *Rig) HasGuard() bool {
	text, err := os.ReadFile(s.OwnFile())
	return err == nil && calls(string(text), "cni-guard")
}

// leave writes a file as one that was left an hour ago: no pod is refused for what
// is just being written, and a scenario does not wait until that is over.
func leave(file string, text []byte) error {
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	then := time.Now().Add(-time.Hour)
	return os.Chtimes(file, then, then)
}

// TakeAway removes a file from the conf dir for good, as rm does.
func (s *Rig) TakeAway(file string) error {
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("take configuration away: %w", err)
	}
	return nil
}
