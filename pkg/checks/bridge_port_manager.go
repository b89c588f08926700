// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// manager returns clauses that name who configures the link, and by which setting, as far
// as that is written down; "" if that is unknown.
func (s strayPort) manager(t *Target) string {
	link := s.Link
	if !s.lost() && s.Up {
		link = s.bridge
	}
	var clauses []string
	if manager := t.managerOf(link.Index); manager != "" {
		clauses = append(clauses, manager)
	}
	if s.claim.File != "" {
		clauses = append(clauses, fmt.Sprintf("%s has systemd-networkd make it a port of %s", s.claim, s.claim.Text))
	}
	return strings.Join(clauses, "; ")
}

// managerOf returns a clause that names who configures a link, as far as that is written
// down; "" if that is unknown.
func (t *Target) managerOf(index int) string {
	root := t.host()
	if state, err := root.NetworkdLink(index); err == nil && state.Managed() {
		return fmt.Sprintf("systemd-networkd manages it (%s: NETWORK_FILE = %s)", state.File, state.Network)
	}
	if state, err := root.NetworkManagerDevice(index); err == nil && state.Configures() {
		return fmt.Sprintf("NetworkManager manages it (%s: managed = true)", state.File)
	}
	return ""
}

// findClaims fills in by which settings systemd-networkd makes the ports those of another
// bridge. Such a port cannot be moved back while the setting holds: when a port leaves a
// bridge, the kernel sends RTM_DELLINK of the family AF_BRIDGE (net/bridge/br_if.c,
// del_nbp), which networkd takes for the end of the interface. It finds the interface
// again and configures it once more. Seen with systemd 252 and 257, within 10 ms, each
// time. A port that networkd has only detached stays where it is added again.
func (t *Target) findClaims(strays []strayPort) {
	root := t.host()
	var conf *hostconf.Networkd
	for i := range strays {
		s := &strays[i]
		if !s.lost() || s.Master == 0 {
			continue
		}
		state, err := root.NetworkdLink(s.Index)
		if err != nil && !hostconf.IsAbsent(err) || state.Admin == "unmanaged" {
			continue
		}
		if conf == nil {
			// What it left behind when it was stopped says nothing.
			if runs, err := root.Running("systemd-networkd.service", "systemd-networkd"); err != nil || !runs {
				return
			}
			if conf, err = root.Networkd(); err != nil {
				return // it is repaired, as if there were no claim
			}
		}
		// Until networkd has found the interface again, it has no state.
		for _, network := range conf.Networks {
			master, ok := network.Master()
			if ok && master.Text == s.master.Name && (state.Network == "" || state.Network == network.Path) {
				s.claim = master
				break
			}
		}
	}
}

// managerSettles is how long after its start systemd-networkd may take ports away. It
// does so within 80 ms, as soon as it gets to them.
const managerSettles = 5 * time.Second

// managerStarted reports whether systemd-networkd started after a look at the ports, or so
// shortly before that it may have taken ports away since.
func (t *Target) managerStarted(looked time.Time) bool {
	// systemd recreates this link at each start of the service.
	started, ok := modified(t.Root + "/run/systemd/units/invocation:systemd-networkd.service")
	if !ok {
		return false
	}
	// Where the clock was set back since, each ADD would look for as long.
	ago := t.now().Sub(started)
	return ago >= 0 && ago < bridgePortEvery && looked.Before(started.Add(managerSettles))
}

// modified returns when a file, or a link itself, was changed; false if that is not known.
// Every ADD asks, and os.Lstat makes a description of the file that is not needed.
func modified(path string) (time.Time, bool) {
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return time.Time{}, false
	}
	return time.Unix(s.Mtim.Unix()), true
}
