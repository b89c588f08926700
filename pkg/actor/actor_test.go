// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"os"
	"testing"
	"time"
)

func TestCgroup(t *testing.T) {
	const pod = "0e3b1c6d-1111-2222-3333-444455556666"
	const id = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for groups, want := range map[string]struct{ unit, pod, container string }{
		"0::/system.slice/ssh.service\n":                                       {unit: "ssh.service"},
		"12:cpu:/x\n1:name=systemd:/user.slice/user-0.slice/session-3.scope\n": {unit: "session-3.scope"},
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0e3b1c6d_1111_2222_3333_444455556666.slice/cri-containerd-" + id + ".scope\n": {pod: pod, container: id},
		"0::/kubepods/besteffort/pod" + pod + "/" + id + "\n": {pod: pod, container: id},
		"0::/\n": {},
		"":       {},
	} {
		p := Process{Cgroup: cgroupOf(groups)}
		if p.Unit() != want.unit || p.Pod() != want.pod || p.Container() != want.container {
			t.Errorf("%q: unit %q, pod %q, container %q; want %+v", groups, p.Unit(), p.Pod(), p.Container(), want)
		}
	}
}

func TestString(t *testing.T) {
	for want, p := range map[string]Process{
		`pid 7, which has ended`: {PID: 7},
		`pid 7 ip`:               {PID: 7, Name: "ip"},
		`pid 7 "ip link", in ssh.service, started by "sh -c first ..."`: {PID: 7, Command: "ip link", Parent: "sh -c first\nsecond", Cgroup: "/system.slice/ssh.service"},
		`a process of another PID namespace "/usr/sbin/ip"`:             {Command: "/usr/sbin/ip"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is %s, want %s", p, got, want)
		}
	}
}

// The process of this test is read as it is.
func TestRead(t *testing.T) {
	p := Read(os.Getpid())
	if p.Name == "" || p.Command == "" || p.Parent == "" {
		t.Errorf("this process is %+v", p)
	}
	if p := Read(1 << 22); p.Name != "" || p.Command != "" {
		t.Errorf("a process that cannot exist is %+v", p)
	}
}

// The last programs are found, the last one first, also after older ones were dropped.
func TestRecent(t *testing.T) {
	r, began := &Recent{}, time.Now().Add(-time.Hour) // all were seen before now
	for i := range recentMost + 10 {
		r.add(Process{PID: i + 1, Seen: began.Add(time.Duration(i) * time.Millisecond)})
	}
	all := r.Between(began, began.Add(time.Hour))
	if len(all) != recentMost || all[0].PID != recentMost+10 || all[len(all)-1].PID != 11 {
		t.Fatalf("%d programs, from %d to %d", len(all), all[0].PID, all[len(all)-1].PID)
	}
	if all := r.Between(began.Add(100*time.Millisecond), began.Add(102*time.Millisecond)); len(all) != 3 || all[0].PID != 103 {
		t.Errorf("three milliseconds have %+v", all)
	}
	if p, ok := r.ByPID(200, began); !ok || p.PID != 200 {
		t.Errorf("program 200 is %+v, %v", p, ok)
	}
	if _, ok := r.ByPID(5, began); ok {
		t.Error("a program that was dropped is found")
	}
}

// Events are read to their end, whatever is in them.
func FuzzName(f *testing.F) {
	f.Add([]byte{2, 0, 28, 0, 1, 2, 3, 4, 5, 6, 7, 8, 4, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9, 'a', 0, 0, 0})
	f.Fuzz(func(t *testing.T, info []byte) {
		g := &group{dir: "/conf"}
		var w Write
		g.name(&w, info)
		if w.Path == "" != (w.Name == "") && w.Path != "/conf" {
			t.Errorf("path %q and name %q", w.Path, w.Name)
		}
	})
}
