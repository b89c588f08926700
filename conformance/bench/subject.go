// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A subject is a program with the configuration that it reads.
type subject struct {
	name    string
	program string
	stdin   string // a file
	netns   string
}

// verbs are what each subject is called with, in this order: DEL undoes ADD.
func verbs() []string { return []string{"ADD", "CHECK", "DEL"} }

func subjects(dir string, p pod, guardDir, refDir, emptyDir string) ([]subject, error) {
	prev := fmt.Sprintf(`"prevResult":{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":%q,"sandbox":%q}],"ips":[{"address":%q,"interface":0}]}`, p.mac, p.path, p.addr)
	head := `{"cniVersion":"1.0.0","name":"bench",`
	type written struct{ name, program, conf string }
	// The guard on the same node, told to warm tunnels of which it has so many. Not
	// side by side: each would find the pages of the other warm.
	tunnels := func(n int, kind string) written {
		conf := fmt.Sprintf(`"type":"cni-guard","stateDir":%q,"checks":{"tunnel-warmup":{"kinds":[%q]}},`, dir+"/state-"+kind, kind)
		return written{fmt.Sprintf("cni-guard, %d tunnels", n), filepath.Join(guardDir, "cni-guard"), head + conf + prev + `}`}
	}
	all := []written{
		{"empty Go program", filepath.Join(emptyDir, "empty"), head + `"type":"empty"}`},
		{"empty plugin", filepath.Join(emptyDir, "skel"), head + `"type":"skel",` + prev + `}`},
		tunnels(0, "geneve"),
		{"reference loopback", filepath.Join(refDir, "loopback"), head + `"type":"loopback"}`},
		{"our loopback", filepath.Join(guardDir, "loopback"), head + `"type":"loopback"}`},
		{"reference tuning", filepath.Join(refDir, "tuning"), head + fmt.Sprintf(`"type":"tuning","dataDir":%q,"sysctl":{"net.ipv4.conf.eth0.arp_filter":"1"},`, dir+"/tuning") + prev + `}`},
		tunnels(1000, "vxlan"),
		{"reference portmap", filepath.Join(refDir, "portmap"), head + `"type":"portmap","capabilities":{"portMappings":true},` + prev + `}`},
		{"cni-guard", filepath.Join(guardDir, "cni-guard"), head + fmt.Sprintf(`"type":"cni-guard","stateDir":%q,`, dir+"/state") + prev + `}`},
	}
	var subjects []subject
	for i, s := range all {
		stdin := filepath.Join(dir, fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(stdin, []byte(s.conf), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		subjects = append(subjects, subject{name: s.name, program: s.program, stdin: stdin, netns: p.path})
	}
	return subjects, nil
}

// call runs the subject once and returns the time from its start to its end.
func (s subject) call(verb string) (time.Duration, error) {
	stdin, err := os.Open(s.stdin)
	if err != nil {
		return 0, fmt.Errorf("open configuration: %w", err)
	}
	defer stdin.Close()
	cmd := &exec.Cmd{
		Path:  s.program,
		Args:  []string{s.program},
		Stdin: stdin,
		Env: []string{
			"CNI_COMMAND=" + verb, "CNI_CONTAINERID=bench", "CNI_IFNAME=eth0",
			"CNI_NETNS=" + s.netns, "CNI_PATH=" + filepath.Dir(s.program),
		},
	}
	start := time.Now()
	err = cmd.Run()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", s.name, verb, err)
	}
	return took, nil
}
