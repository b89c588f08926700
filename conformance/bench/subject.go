// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

func subjects(dir string, p pod, programs, guardDir, refDir, emptyDir string) ([]subject, error) {
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
		program, err := copyProgram(s.program, filepath.Join(programs, fmt.Sprint(i)))
		if err != nil {
			return nil, err
		}
		stdin := filepath.Join(dir, fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(stdin, []byte(s.conf), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		subjects = append(subjects, subject{name: s.name, program: program, stdin: stdin, netns: p.path})
	}
	return subjects, nil
}

// copyProgram copies a program into a directory, which it creates. A copy has larger
// pages in the cache of the kernel than a file that a linker wrote, and starts a tenth
// faster. The programs of a node are copies.
func copyProgram(program, dir string) (string, error) {
	content, err := os.ReadFile(program)
	if err == nil {
		err = os.Mkdir(dir, 0o755)
	}
	to := filepath.Join(dir, filepath.Base(program))
	if err == nil {
		err = os.WriteFile(to, content, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("copy program: %w", err)
	}
	return to, nil
}

// call runs the subject once, and returns what that costs.
func (s subject) call(verb string) (usage, error) {
	stdin, err := os.Open(s.stdin)
	if err != nil {
		return usage{}, fmt.Errorf("open configuration: %w", err)
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
	u := usage{wall: time.Since(start)}
	if err != nil {
		return usage{}, fmt.Errorf("%s %s: %w", s.name, verb, err)
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.switches = used.Nvcsw
	}
	return u, nil
}
