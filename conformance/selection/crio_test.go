// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cri-o/ocicni/pkg/ocicni"
	"github.com/sirupsen/logrus"
)

// diary keeps what ocicni logs of each file: nothing that it exports names the
// files that it took.
type diary struct {
	mu    sync.Mutex
	lines []string
}

// keepDiary takes over the log that ocicni writes.
func keepDiary(t *testing.T) *diary {
	t.Helper()
	d := &diary{}
	logger := logrus.StandardLogger()
	out, hooks := logger.Out, logger.ReplaceHooks(logrus.LevelHooks{})
	logrus.SetOutput(io.Discard)
	logrus.AddHook(d)
	t.Cleanup(func() {
		logger.ReplaceHooks(hooks)
		logrus.SetOutput(out)
	})
	return d
}

// Levels is part of logrus.Hook.
func (d *diary) Levels() []logrus.Level { return logrus.AllLevels }

// Fire is part of logrus.Hook.
func (d *diary) Fire(e *logrus.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if strings.HasPrefix(e.Message, "Found CNI network ") || strings.HasPrefix(e.Message, "Ignored CNI network ") {
		d.lines = append(d.lines, e.Message)
	}
	return nil
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// againstOCICNI reports how our selection differs from what ocicni loads. CRI-O
// watches the directory beside that (InitCNI); what it then loads is the same.
func (o *ours) againstOCICNI(d *diary, cacheDir string, r request) error {
	s, err := o.ask(r)
	if err != nil {
		return err
	}
	d.take()
	real, err := ocicni.InitCNINoInotify(r.DefaultNetwork, r.Dir, cacheDir, r.BinDirs...)
	if err != nil {
		return err
	}
	lines := d.take()
	if want := linesOf(r.Dir, s); !slices.Equal(lines, want) {
		return fmt.Errorf("ocicni says\n  %s\nwe say\n  %s", strings.Join(lines, "\n  "), strings.Join(want, "\n  "))
	}
	return compareDefault(s, real)
}

// linesOf is what ocicni logs if it loads what we say.
func linesOf(dir string, s selection) []string {
	var lines []string
	for _, f := range s.with("selected", "shadowed") {
		text := fmt.Sprintf("CNI network %s (type=%v) at %s", f.Network, f.Plugins[0], filepath.Join(dir, f.Name))
		lines = append(lines, "Found "+text)
		if strings.HasPrefix(f.Reason, "is ignored") {
			lines = append(lines, "Ignored "+text+" because already exists")
		}
	}
	return lines
}

// compareDefault compares the one network that pods get.
func compareDefault(s selection, real ocicni.CNIPlugin) error {
	selected := s.with("selected")
	missing := real.Status()
	switch {
	case (missing != nil) != (len(selected) == 0):
		return fmt.Errorf("ocicni: default %q, status %w; we select %+v", real.GetDefaultNetworkName(), orNil(missing), selected)
	case (missing != nil) != (s.Disabled != "") || s.NoNetwork != s.Disabled:
		return fmt.Errorf("ocicni: status %w; Select says %q, Effective %q", orNil(missing), s.Disabled, s.NoNetwork)
	case missing != nil:
		return nil
	case selected[0].Network != real.GetDefaultNetworkName() || s.Effective != selected[0].Name:
		return fmt.Errorf("ocicni: default %q; we select %+v, and Effective says %q", real.GetDefaultNetworkName(), selected[0], s.Effective)
	}
	for _, f := range s.with("selected", "shadowed") {
		if f.Network == selected[0].Network && f.Name < selected[0].Name {
			return fmt.Errorf("of network %q ocicni keeps %s, which is before %s", f.Network, f.Name, selected[0].Name)
		}
	}
	return nil
}
