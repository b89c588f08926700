// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// settling is how long a runtime may take to load a file that was just written.
const settling = 300 * time.Millisecond

// Runtime compares what the runtime that runs works with to what is on the disk:
// the settings of its own configuration and, with containerd, the list that it has
// loaded. It returns nothing where the runtime was not asked or did not answer.
func Runtime(ctx context.Context, s site.Site, a assess.Assessment) []Problem {
	if s.Running == nil {
		return nil
	}
	var all []Problem
	for _, c := range s.Running.Changed {
		all = append(all, Problem{Object: s.Name, Problem: assess.Problem{
			Kind: NotRestarted, What: fmt.Sprintf("runs with %s %s, and its configuration says %s", c.Setting, c.Running, c.Configured),
			Evidence: "it was changed since " + s.Name + " started, which reads it at its start only",
			Impact:   "pods get their network by the old setting, until the next start brings the new one",
			Remedy:   fmt.Sprintf("restart it with systemctl restart %s if the new setting is right (pods go on), or take the change back", s.Unit),
		}})
	}
	differs := loadedDiffers(s, a)
	if differs != nil && wait(ctx, settling) {
		differs = again(ctx, s, a)
	}
	if differs != nil {
		return append(all, *differs)
	}
	if !s.Running.NetworkReady && a.Selection.Err == nil {
		all = append(all, Problem{Object: s.Name, Problem: assess.Problem{
			Kind: NetworkNotReady, What: "says that its network is not ready", Evidence: s.Running.Message,
			Impact: "the node is NotReady, and no pod can start",
			Remedy: "see what the plugin that is named says; guardctl events shows whether cni-guard reported it",
		}})
	}
	return all
}

// again looks a second time, for what was written while we looked first.
func again(ctx context.Context, s site.Site, a assess.Assessment) *Problem {
	status, err := cri.At(s.Socket).Status(ctx)
	if err != nil {
		return nil // it is being restarted, perhaps
	}
	loaded, err := status.Loaded()
	if err != nil {
		return nil
	}
	now := *s.Running
	now.Loaded, s.Running = &loaded, &now
	if a.Selection, err = conflist.Select(a.Selection.Dir, a.Selection.Runtime); err != nil {
		return nil
	}
	return loadedDiffers(s, a)
}

// loadedDiffers returns how the lists that containerd has loaded differ from those
// that it would load today; nil where they do not, or where another directory than
// its own was judged.
func loadedDiffers(s site.Site, a assess.Assessment) *Problem {
	loaded := s.Running.Loaded
	if loaded == nil || s.ConfDir != a.Selection.Dir || !sameDir(s, loaded.ConfDir) || a.Selection.Runtime.MaxConfNum != loaded.MaxConfNum {
		return nil
	}
	has, would := describeLoaded(loaded.Networks), describeFiles(a.Selection)
	problem := Problem{Object: s.Name, Problem: assess.Problem{Kind: NotLoaded, Evidence: "its CRI status has what it works with"}}
	if loaded.Trouble != "" {
		problem.Evidence = "it says: " + loaded.Trouble
	}
	switch {
	case a.Selection.Err != nil && len(loaded.Networks) > 0:
		problem.What = fmt.Sprintf("still works with %s, and would load nothing from %s today", has, a.Selection.Dir)
		problem.Impact = "pods start until it loads the directory again, and none does from then on"
		problem.Remedy = "mend the directory before anything is changed in it or " + s.Name + " is restarted; guardctl conf says what is wrong"
	case a.Selection.Err != nil:
		return nil // assess says why nothing is loaded
	case len(loaded.Networks) == 0:
		problem.What, problem.Impact = fmt.Sprintf("has loaded no network, though %s has %s", a.Selection.Dir, would), "no pod can start"
	case !sameLists(loaded.Networks, a.Selection):
		problem.What = fmt.Sprintf("works with %s, and %s has %s by now", has, a.Selection.Dir, would)
		if strings.Contains(would, "("+has+")") { // the same plugins
			problem.What = fmt.Sprintf("works with %s as it was before, and %s has other values by now", has, a.Selection.Dir)
		}
		problem.Impact = "pods get the old list until it loads the directory again"
	default:
		return nil
	}
	if e := a.Selection.Effective(); e != nil && a.Role(e.Name) == assess.Keep {
		problem.Command = "systemctl restart " + s.Unit
	} else if e != nil {
		problem.Remedy = "see guardctl conf first: a restart makes it take " + e.Name
	}
	return &problem
}

// sameDir reports whether containerd reads the directory of the site, whose path may
// have the root of the node in front.
func sameDir(s site.Site, loaded string) bool {
	return strings.HasSuffix(filepath.Clean(s.ConfDir), filepath.Clean(loaded))
}

// sameLists reports whether the lists have the same names and entries.
func sameLists(loaded []cri.Network, s conflist.Selection) bool {
	var files []conflist.List
	for _, f := range s.Files {
		if f.Verdict != conflist.Selected && f.Verdict != conflist.Attached {
			continue
		}
		list, err := conflist.Read(s.Dir, f.Name)
		if err != nil {
			return true // it changes while we look
		}
		files = append(files, list)
	}
	if len(files) != len(loaded) {
		return false
	}
	for i, list := range files {
		if list.Name != loaded[i].Name || len(list.Plugins) != len(loaded[i].Plugins) {
			return false
		}
		for j, p := range list.Plugins {
			if !sameJSON(p.Raw, loaded[i].Plugins[j]) {
				return false
			}
		}
	}
	return true
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func describeLoaded(networks []cri.Network) string {
	var texts []string
	for _, n := range networks {
		var types []string
		for _, p := range n.Plugins {
			var entry struct{ Type string }
			_ = json.Unmarshal(p, &entry) // it was checked to be JSON
			types = append(types, entry.Type)
		}
		texts = append(texts, assess.DescribeNetwork(n.Name, types))
	}
	return strings.Join(texts, " and ")
}

func describeFiles(s conflist.Selection) string {
	var texts []string
	for _, f := range s.Files {
		if f.Verdict == conflist.Selected || f.Verdict == conflist.Attached {
			texts = append(texts, f.Name+" ("+assess.DescribeNetwork(f.Network, f.Plugins)+")")
		}
	}
	return strings.Join(texts, " and ")
}

// wait waits, and reports whether there was time.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
