// SPDX-License-Identifier: Apache-2.0

// Package inspect looks at what decides whether a pod gets its network beside the
// files of the config directory, which package assess judges: what the runtime has loaded,
// the programs of the chain, and the pods that are attached already. doctor and
// conf report the same problems, in the form of those of assess.
package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// A Problem is one with what Object names: a program, a pod, the runtime. File is
// that of the list that is concerned, or "".
type Problem struct {
	Object string
	assess.Problem
}

// The kinds of problems, beside those of assess.
const (
	PluginMissing       assess.Kind = "plugin-missing"        // in no plugin directory
	PluginNotExecutable assess.Kind = "plugin-not-executable" // by its mode, or by its mount
	PluginFails         assess.Kind = "plugin-fails"          // it does not answer VERSION
	PluginVersion       assess.Kind = "plugin-version"        // it does not know the version of the list
	NotLoaded           assess.Kind = "not-loaded"            // the runtime works with another list than the file has
	NotRestarted        assess.Kind = "not-restarted"         // its configuration has changed since it started
	NetworkNotReady     assess.Kind = "network-not-ready"     // it says so, for another reason
	PodOnOtherNetwork   assess.Kind = "pod-on-other-network"
	PodsUnguarded       assess.Kind = "pods-older-than-guard"
	AddressNotReleased  assess.Kind = "address-not-released" // its sandbox is gone
)

// asking bounds the questions to all plugins of a chain together.
const asking = 5 * time.Second

// Chain looks at the programs of the plugins of the intended file, and of the one
// that the runtime takes where that is another: whether each is there, can be
// executed, answers VERSION, and knows the version of its list. It returns nothing
// where the plugin directories are not known. The flags are those by which the
// operator described the node to guardctl, with a blank in front.
func Chain(ctx context.Context, a assess.Assessment, installFlags string) []Problem {
	dirs := a.Selection.Runtime.BinDirs
	if len(dirs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	var all []Problem
	for _, file := range inUse(a) {
		list, err := conflist.Read(a.Selection.Dir, file)
		if err != nil {
			continue // what is wrong with the file is for assess to say
		}
		c := programsOf{file: file, kind: a.Selection.Runtime.Kind, dirs: dirs, version: list.CNIVersion, install: "guardctl install" + installFlags}
		all = append(all, c.problems(ctx, list)...)
	}
	return all
}

// inUse returns the names of the files that pods get or are to get.
func inUse(a assess.Assessment) (names []string) {
	if e := a.Selection.Effective(); e != nil && a.Role(e.Name) != assess.Rogue {
		names = append(names, e.Name) // what is to go away needs no plugins
	}
	if a.Intended != "" && !slices.Contains(names, a.Intended) {
		names = append(names, a.Intended)
	}
	return names
}

// A programsOf is the list of one file, as far as its programs go.
type programsOf struct {
	file    string
	kind    conflist.Kind
	dirs    []string
	version string
	install string
}

// A program is a plugin by its type. By names the plugin that calls it, "" for an
// entry of the list.
type program struct{ name, by string }

func (c programsOf) problems(ctx context.Context, list conflist.List) []Problem {
	var missing []program
	var found []Problem
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, p := range programs(list) {
		path := find(p.name, c.dirs)
		if path == "" {
			missing = append(missing, p)
			continue
		}
		wait.Go(func() {
			if problem := c.look(ctx, p, path); problem != nil {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, *problem)
			}
		})
	}
	wait.Wait()
	slices.SortFunc(found, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	return append(c.missing(missing), found...)
}

// programs returns what the list starts, and what those start that are known to
// start others: the plugins for addresses of the reference plugins and of Calico,
// and what flannel hands on to. Other plugins may read "ipam" in their own way.
func programs(list conflist.List) (all []program) {
	add := func(name, by string) {
		if name != "" && !slices.ContainsFunc(all, func(p program) bool { return p.name == name }) {
			all = append(all, program{name, by})
		}
	}
	for _, p := range list.Plugins {
		add(p.Type, "")
	}
	for _, p := range list.Plugins {
		var conf struct {
			IPAM     struct{ Type string }
			Delegate struct{ Type string }
		}
		_ = json.Unmarshal(p.Raw, &conf) // an odd value is for the plugin to complain of
		switch p.Type {
		case "bridge", "ptp", "macvlan", "ipvlan", "host-device", "vlan", "dummy", "tap", "calico":
			add(conf.IPAM.Type, p.Type)
		case "flannel":
			if conf.Delegate.Type == "" {
				conf.Delegate.Type = "bridge"
			}
			add(conf.Delegate.Type, p.Type)
			add("host-local", p.Type)
		}
	}
	return all
}

// find returns the program as a runtime does: the first regular file of the name.
func find(name string, dirs []string) string {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// look looks at one program that is there.
func (c programsOf) look(ctx context.Context, p program, path string) *Problem {
	problem := Problem{Object: path, Problem: assess.Problem{File: c.file, Impact: c.impact()}}
	info, err := os.Stat(path)
	if err != nil {
		return nil // it went away just now
	}
	if info.Mode().Perm()&0o111 == 0 {
		problem.Kind, problem.What = PluginNotExecutable, c.role(p)+" and cannot be executed"
		problem.Evidence, problem.Command = fmt.Sprintf("its mode is %04o", info.Mode().Perm()), "chmod 0755 "+path
		return &problem
	}
	var mount unix.Statfs_t
	if err := unix.Statfs(path, &mount); err == nil && mount.Flags&unix.ST_NOEXEC != 0 {
		problem.Kind, problem.What = PluginNotExecutable, c.role(p)+" and cannot be executed"
		problem.Evidence, problem.Command = "its file system is mounted noexec", "mount -o remount,bind,exec "+mountPoint(path)
		problem.Remedy = "correct the line of that mount in /etc/fstab as well, or it comes back at the next boot"
		return &problem
	}
	versions, err := pluginquery.Versions(ctx, path)
	switch {
	case ctx.Err() != nil && err != nil:
		problem.Kind, problem.Unknown, problem.Impact = PluginFails, true, ""
		problem.What, problem.Evidence = c.role(p)+" and does not say in time which versions it knows", err.Error()
		problem.Remedy = "run CNI_COMMAND=VERSION " + path + " by hand"
		return &problem
	case pluginquery.IsShortage(err):
		problem.Kind, problem.Unknown, problem.Impact = PluginFails, true, ""
		problem.What, problem.Evidence = c.role(p)+" and could not be asked which versions it knows", err.Error()
		problem.Remedy = "look what uses up the descriptors, processes or memory of this node"
		return &problem
	case err != nil:
		problem.Kind, problem.What, problem.Evidence = PluginFails, c.role(p)+" and does not answer VERSION", err.Error()
		problem.Remedy = "install the program again, for the architecture of this node"
		return &problem
	}
	version := c.version
	if version == "" {
		version = "0.1.0"
	}
	if p.by != "" || slices.Contains(versions, version) {
		return nil
	}
	problem.Kind, problem.What = PluginVersion, fmt.Sprintf("%s and does not know its cniVersion %s", c.role(p), version)
	problem.Evidence = "it knows " + strings.Join(versions, ", ")
	problem.Remedy = "install a release of the program that knows it, or lower cniVersion in the file to one that all its plugins know"
	return &problem
}

// role completes a sentence that begins with the program.
func (c programsOf) role(p program) string {
	if p.by != "" {
		return fmt.Sprintf("is what the plugin %s of %s starts", p.by, c.file)
	}
	return "is a plugin of " + c.file
}

// impact returns what a program that does not work means for pods.
func (c programsOf) impact() string {
	if c.kind == conflist.Containerd {
		return "no pod can start"
	}
	return fmt.Sprintf("%s skips %s, or no pod can start", c.kind.DisplayName(), c.file)
}

// missing says which programs are in no plugin directory, and where they are
// instead.
func (c programsOf) missing(missing []program) (all []Problem) {
	elsewhere := map[string][]string{} // by directory
	for _, p := range missing {
		problem := Problem{Object: "plugin " + p.name, Problem: assess.Problem{
			Kind: PluginMissing, File: c.file, Impact: c.impact(),
			What:     fmt.Sprintf("%s, and is not there", strings.Replace(c.role(p), "is a plugin", "is one", 1)),
			Evidence: "it is not in " + strings.Join(c.dirs, ", "),
		}}
		path := find(p.name, others(c.dirs))
		switch {
		case p.name == conflist.GuardType:
			// The installed guardctl, which may be the only one here, has none to copy.
			problem.Remedy = "run " + c.install + " --from FOLDER, where FOLDER has the programs of cni-guard"
		case path != "":
			dir := filepath.Dir(path)
			elsewhere[dir] = append(elsewhere[dir], p.name)
			problem.Evidence += "; it is in " + dir + ", where " + c.kind.DisplayName() + " does not look"
			problem.Command = fmt.Sprintf("ln -s %s %s", path, c.dirs[0]+"/")
			problem.Remedy = "or have the runtime look in " + dir + " as well"
		case reference(p.name):
			problem.Remedy = "install the plugins of github.com/containernetworking/plugins in " + c.dirs[0] + " (package containernetworking-plugins); if the runtime looks in another directory, --bin-dir says which"
		default:
			problem.Remedy = "the DaemonSet of the network plugin puts it there: see whether its pod runs on this node; if the runtime looks in another directory, --bin-dir says which"
		}
		all = append(all, problem)
	}
	return all
}

// others returns where programs may lie that a runtime does not look for there:
// upstream's directory, and those of Debian, Fedora, Arch, k3s and microk8s.
func others(dirs []string) []string {
	all := []string{
		"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni", "/usr/lib/cni/bin", "/var/lib/rancher/k3s/data/cni",
		"/var/lib/rancher/k3s/data/current/bin", "/var/snap/microk8s/current/opt/cni/bin",
	}
	return slices.DeleteFunc(all, func(dir string) bool { return slices.Contains(dirs, dir) })
}

// reference reports whether a plugin is one of containernetworking/plugins v1.9.1.
func reference(name string) bool {
	return slices.Contains([]string{
		"bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback", "macvlan",
		"portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf",
	}, name)
}

// mountPoint returns where the file system of a path is mounted: the highest directory
// of the same device.
func mountPoint(path string) string {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return filepath.Dir(path)
	}
	longest := "/"
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // proc(5): the fifth is the mount point
		if len(fields) > 4 && len(fields[4]) > len(longest) && strings.HasPrefix(path+"/", fields[4]+"/") {
			longest = fields[4]
		}
	}
	return longest
}
