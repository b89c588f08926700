// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// An impact is what networkd does to interfaces of CNI by one file.
type impact struct {
	network *hostconf.Network
	does    string // "takes them off their bridge", without a subject
	keeps   bool   // KeepMaster=yes alone cures it
	links   []ownedLink
	state   hostconf.LinkState // of the first link; zero where networkd does not manage it yet
	stale   bool               // the files leave the links alone by now
}

func networkdFindings(t *Target, root hostconf.Root, owned ownership) ([]guard.Finding, error) {
	conf, err := root.Networkd()
	if err != nil {
		return nil, err
	}
	j := &networkdJudge{root: root, conf: conf, owned: owned, noUdev: !root.UdevRuns()}
	for _, l := range owned.links {
		if err := j.judge(l); err != nil {
			j.err = err
		}
	}
	var findings []guard.Finding
	for _, i := range j.impacts {
		findings = append(findings, j.finding(i))
	}
	uplinks, err := j.uplinks()
	if err != nil {
		return findings, err
	}
	findings = append(findings, j.routeFindings(uplinks)...)
	found, err := j.ruleFindings(t, uplinks)
	findings = append(findings, found...)
	if err == nil {
		err = j.err
	}
	return findings, err
}

type networkdJudge struct {
	root    hostconf.Root
	conf    *hostconf.Networkd
	owned   ownership
	noUdev  bool
	impacts []*impact
	err     error
}

// judge adds a link to the impact that networkd has on it, if it has any.
func (j *networkdJudge) judge(l ownedLink) error {
	if _, ok := j.conf.Makes(l.Name); ok {
		return nil // the operator has networkd make it
	}
	var state hostconf.LinkState
	if !l.future {
		var err error
		if state, err = j.root.NetworkdLink(l.Index); err != nil && !hostconf.IsAbsent(err) {
			return err
		}
	}
	file, err := j.conf.For(l.forFiles(j.noUdev))
	free := file == nil || file.Unmanaged()
	network := file
	switch {
	case state.Managed():
		if network = j.conf.ByPath(state.Network); network == nil {
			network = &hostconf.Network{Path: state.Network} // removed since
		}
	case err != nil:
		return err
	case free:
		return nil
	}
	does, keeps := j.does(l, network)
	if does == "" {
		return nil
	}
	stale := state.Managed() && err == nil && free
	if stale && state.Admin == "failed" {
		return nil // networkd gave up, and does nothing until it starts
	}
	for _, i := range j.impacts {
		if i.network.Path == network.Path && i.does == does && i.stale == stale && i.state.Managed() == state.Managed() {
			i.links = append(i.links, l)
			return nil
		}
	}
	j.impacts = append(j.impacts, &impact{network: network, does: does, keeps: keeps, links: []ownedLink{l}, state: state, stale: stale})
	return nil
}

// does says what networkd does to a link by a file; "" where that harms no pod.
func (j *networkdJudge) does(l ownedLink, network *hostconf.Network) (does string, keeps bool) {
	if master, ok := network.Master(); ok && master.Text != l.bridge {
		return fmt.Sprintf("makes them ports of %s (%s), and pods there lose their network", master.Text, master), false
	}
	_, hasMaster := network.Master()
	if l.bridge != "" && !hasMaster && !network.KeepsMaster() {
		return fmt.Sprintf("takes them off the bridge %s when it starts (KeepMaster=no), and all pods there lose their network", l.bridge), true
	}
	for _, key := range []string{"MACAddress", "MTUBytes"} {
		if v, ok := network.Sets(key); ok && l.Kind != "bridge" {
			return fmt.Sprintf("sets %s=%s (%s): a tunnel's peers no longer reach it, or packets no longer fit", key, v.Text, v), false
		}
	}
	// Seen with systemd 252 and 257; the latter does so at each start as well. That
	// ManageForeignRoutes=no does not help, for the addresses go first.
	if len(l.routes) > 0 && network.KeepConfiguration() == "" {
		return "deletes the addresses and routes that CNI gave them when it reloads a changed file, or starts (KeepConfiguration=no), and pods behind them lose their network", false
	}
	return "", false
}

// setting returns "KEY=VALUE, at FILE:LINE" or "KEY=VALUE by default".
func setting(key, value string, where hostconf.Value) string {
	if where.File == "" {
		return key + "=" + value + " by default"
	}
	return fmt.Sprintf("%s=%s, %s", key, value, where)
}

func (j *networkdJudge) finding(i *impact) guard.Finding {
	matching := ""
	if m := i.network.Matching(); len(m) > 0 {
		matching = fmt.Sprintf("; [Match] %s, line %d", m[0].Text, m[0].Line)
	}
	f := guard.Finding{Object: i.network.Path}
	switch {
	case i.stale:
		f.Problem = fmt.Sprintf("no longer applies to %s, but systemd-networkd still manages them", j.owned.shown(i.links))
		f.Evidence, f.Impact = fmt.Sprintf("%s: ADMIN_STATE=%s", i.state.File, i.state.Admin), "it "+i.does
		f.Command = "networkctl reload"
		f.Remedy = "Let networkd read its files again: " + f.Command
		return f
	case i.state.Managed():
		f.Problem = "has systemd-networkd manage " + j.owned.shown(i.links)
		f.Evidence, f.Impact = fmt.Sprintf("%s: ADMIN_STATE=%s", i.state.File, i.state.Admin), "it "+i.does
	default:
		f.Problem, f.Impact = "matches "+j.owned.shown(i.links), "once systemd-networkd applies it, it "+i.does
	}
	f.Evidence = strings.TrimPrefix(f.Evidence+matching, "; ")
	f.Remedy, f.Command = j.remedy(i)
	return f
}

// remedy returns what cures an impact, and the command that does it, if one does. A file that is meant
// for veths is amended; one that matches by accident is kept from all links of CNI.
func (j *networkdJudge) remedy(i *impact) (remedy, command string) {
	if i.keeps && namesVeths(i.network) {
		command = writeFile(dropIn(i.network), "[Network]", "KeepMaster=yes") + " && networkctl reload"
		return "Let the interfaces keep their bridge: " + command, command
	}
	var patterns []string
	for _, l := range j.owned.links {
		if !slices.Contains(patterns, l.pattern) {
			patterns = append(patterns, l.pattern)
		}
	}
	name, ok := j.firstName()
	if !ok {
		return fmt.Sprintf("Keep systemd-networkd from the interfaces of CNI: a file in /etc/systemd/network that sorts before %s, with [Match] Name=%s and [Link] Unmanaged=yes; then networkctl reload", path.Base(i.network.Path), strings.Join(patterns, " ")), ""
	}
	command = writeFile("/etc/systemd/network/"+name, "[Match]", "Name="+strings.Join(patterns, " "), "[Link]", "Unmanaged=yes") + " && networkctl reload"
	return "Keep systemd-networkd from the interfaces of CNI: " + command, command
}

// namesVeths reports whether a file matches veths by their name or kind, so that
// it was written on purpose.
func namesVeths(n *hostconf.Network) bool {
	return slices.ContainsFunc(n.Matching(), func(v hostconf.Value) bool {
		key, value, _ := strings.Cut(v.Text, "=")
		return slices.Contains([]string{"Name", "Kind", "Driver"}, key) && !strings.HasPrefix(value, "!") &&
			(strings.Contains(value, "veth") || strings.Contains(value, "cali"))
	})
}

// firstName returns the name of a new file that sorts before all others.
func (j *networkdJudge) firstName() (string, bool) {
	for _, name := range []string{"00-cni.network", "0-cni.network", "+cni.network"} {
		if !slices.ContainsFunc(j.conf.Networks, func(n hostconf.Network) bool { return path.Base(n.Path) <= name }) {
			return name, true
		}
	}
	return "", false
}

// dropIn returns the path of a new drop-in that is read after the others.
func dropIn(n *hostconf.Network) string { return path.Join(n.DropInDir(), lastName(n.DropIns())) }

// lastName returns a name that sorts after those of the files.
func lastName(files []string) string {
	const last = "zzz-cni.conf"
	for _, name := range []string{"90-cni.conf", "zz-cni.conf"} {
		if !slices.ContainsFunc(files, func(file string) bool { return path.Base(file) >= name }) {
			return name
		}
	}
	return last
}

// writeFile returns a command that writes the lines into a new file.
func writeFile(file string, lines ...string) string {
	quoted := strings.NewReplacer("%", "%%", `\`, `\\`, "'", `'\''`)
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(quoted.Replace(line) + `\n`)
	}
	return fmt.Sprintf("mkdir -p %s && printf '%s' >%s", printable.Word(path.Dir(file)), text.String(), printable.Word(file))
}

// uplinks returns the links that networkd manages and that are not CNI's.
func (j *networkdJudge) uplinks() (map[string]hostconf.LinkState, error) {
	managed := map[string]hostconf.LinkState{}
	for _, l := range j.owned.all {
		if l.Name == "lo" || slices.ContainsFunc(j.owned.links, func(o ownedLink) bool { return o.Name == l.Name }) {
			continue
		}
		state, err := j.root.NetworkdLink(l.Index)
		if err != nil && !hostconf.IsAbsent(err) {
			return nil, err
		}
		if state.Managed() {
			managed[l.Name] = state
		}
	}
	return managed, nil
}

// routeFindings finds routes to pods of other nodes that go over a link which
// networkd manages. It deletes them itself, or the kernel does as networkd removes the
// address of the link for a moment.
func (j *networkdJudge) routeFindings(uplinks map[string]hostconf.LinkState) []guard.Finding {
	var findings []guard.Finding
	for _, l := range j.owned.all {
		state, managed := uplinks[l.Name]
		routes := j.podRoutes(l.Name)
		if !managed || len(routes) == 0 {
			continue
		}
		network := j.conf.ByPath(state.Network)
		if network == nil {
			continue // unknown by which file
		}
		var lines, events []string
		manages, _ := j.conf.ManagesForeignRoutes()
		if j.losesAtReload(network, manages) {
			keep := "static"
			if network.HasDHCP() {
				keep = "dhcp"
			}
			lines, events = append(lines, "KeepConfiguration="+keep), append(events, "when it reloads a changed file")
		}
		if !network.IgnoresCarrierLoss() {
			lines, events = append(lines, "IgnoreCarrierLoss=yes"), append(events, "when the carrier is lost for a moment")
		}
		if len(lines) == 0 {
			continue
		}
		command := writeFile(dropIn(network), append([]string{"[Network]"}, lines...)...)
		if manages {
			command += " && " + j.leaveForeign()
		}
		remedy := "Let networkd keep them: " + command
		if network.HasDHCP() {
			remedy += ". It holds from the next boot: a restart or a reload of networkd deletes them once more"
		} else {
			remedy += ". It holds from networkd's next start: a reload before deletes them once more"
		}
		findings = append(findings, guard.Finding{
			Object:   network.Path,
			Problem:  fmt.Sprintf("has systemd-networkd manage %s, over which %d routes lead to pods of other nodes", l.Name, len(routes)),
			Evidence: fmt.Sprintf("%s: ADMIN_STATE=%s; route %s", state.File, state.Admin, routeText(routes[0])),
			Impact:   "it deletes them " + strings.Join(events, ", and "), Command: command, Remedy: remedy,
		})
	}
	return findings
}

// losesAtReload reports whether routes over a link are gone after a reload. Seen with
// systemd 252 and 257: with the defaults, always; with ManageForeignRoutes=no and no
// KeepConfiguration=, up to 252 at least. KeepConfiguration=yes is no help in 252, but
// is in 257; nothing is claimed of it.
func (j *networkdJudge) losesAtReload(network *hostconf.Network, manages bool) bool {
	keep := network.KeepConfiguration()
	if manages {
		return keep != "yes"
	}
	version := j.root.SystemdVersion()
	return keep == "" && version != 0 && version <= 252
}

// leaveForeign returns the command that keeps networkd from routes and rules of others.
func (j *networkdJudge) leaveForeign() string {
	return writeFile("/etc/systemd/networkd.conf.d/"+lastName(j.conf.DaemonDropIns()), "[Network]", "ManageForeignRoutes=no", "ManageForeignRoutingPolicyRules=no")
}

func (j *networkdJudge) podRoutes(link string) []netstate.Route {
	var found []netstate.Route
	for _, r := range j.owned.routes {
		if r.Link == link && r.Gateway.IsValid() && r.Dst.IsValid() && isForeign(r.Protocol) && j.leadsToPods(r) {
			found = append(found, r)
		}
	}
	return found
}

// leadsToPods reports whether a route leads to addresses of pods, to a block that lies
// beside the node's own as those of other nodes do, or is one of a program that routes
// for CNI: 12 BIRD, 17 kube-router, 80 Calico.
func (j *networkdJudge) leadsToPods(r netstate.Route) bool {
	return slices.Contains([]int{12, 17, 80}, r.Protocol) || slices.ContainsFunc(j.owned.ranges.prefixes, func(own netip.Prefix) bool {
		if own.Contains(r.Dst.Addr()) {
			return true
		}
		cluster, err := own.Addr().Prefix(own.Addr().BitLen() / 2)
		return err == nil && own.Bits() == r.Dst.Bits() && cluster.Contains(r.Dst.Addr())
	})
}

func routeText(r netstate.Route) string {
	return fmt.Sprintf("%s via %s, protocol %d", r.Dst, r.Gateway, r.Protocol)
}

// ruleFindings finds routing policy rules of pods that networkd deletes when it
// configures a link. It leaves those of the kernel's protocol alone.
func (j *networkdJudge) ruleFindings(t *Target, uplinks map[string]hostconf.LinkState) ([]guard.Finding, error) {
	manages, where := j.conf.ManagesForeignRules()
	if !manages || len(uplinks) == 0 {
		return nil, nil
	}
	rules, err := t.Node.Rules()
	if err != nil {
		return nil, err
	}
	rules = slices.DeleteFunc(rules, func(r netstate.Rule) bool { return !j.isOfPods(r) })
	if len(rules) == 0 {
		return nil, nil
	}
	return []guard.Finding{{
		Object:   "systemd-networkd",
		Problem:  fmt.Sprintf("deletes rules that others added, and pods depend on %d", len(rules)),
		Evidence: fmt.Sprintf("%s; %s", setting("ManageForeignRoutingPolicyRules", "yes", where), rules[0]),
		Impact:   "their traffic leaves by the wrong interface, or the node loses its own addresses, after a link is configured again",
		Command:  j.leaveForeign(), Remedy: "Make networkd leave these rules alone: " + j.leaveForeign() + ". It holds from networkd's next start",
	}}, nil
}

// isOfPods reports whether a rule is of a pod's address, or the one by which Cilium
// moved the lookup of local addresses, and networkd would delete it.
func (j *networkdJudge) isOfPods(r netstate.Rule) bool {
	const kernel, static = 2, 4
	if r.Protocol == kernel || r.Protocol == static {
		return false
	}
	if r.ForAll() && r.Table == netstate.TableLocal {
		return true
	}
	return slices.ContainsFunc(j.owned.addrs, func(a netip.Addr) bool {
		return r.Src.IsValid() && r.Src.Contains(a) || r.Dst.IsValid() && r.Dst.Contains(a)
	}) || r.Src.IsValid() && j.owned.ranges.contains(r.Src.Addr()) || r.Dst.IsValid() && j.owned.ranges.contains(r.Dst.Addr())
}
