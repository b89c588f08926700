// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// This program is also what runs in the guests. Its first argument says what it
// does there.
func TestMain(m *testing.M) {
	if play, ok := plays()[strings.Join(os.Args[1:], " ")]; ok {
		play()
		return
	}
	os.Exit(m.Run())
}

func plays() map[string]func() {
	return map[string]func(){
		"exit 0": func() {},
		"exit 3": func() { os.Exit(3) },
		"killed": func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} },
		"talk":   talk,
		"whoami": whoami,
		"panic":  func() { _ = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0); select {} },
		"hang":   func() { fmt.Println("here"); syscall.Pause() },
	}
}

// spoken is what talk writes to standard output: more than any buffer on the
// way holds, and every byte there is, among them those that terminals change.
func spoken() string {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "line %d of many: %s\n", i, all[:])
	}
	return b.String()
}

func talk() {
	out := bufio.NewWriter(os.Stdout)
	_, _ = out.WriteString(spoken())
	_ = out.Flush()
	fmt.Fprintln(os.Stderr, "that was all")
}

// whoami reports what the guest is like.
func whoami() {
	dir, _ := os.Getwd()
	text, err := os.ReadFile("/data/sub/file")
	sysctl, _ := os.ReadFile("/proc/sys/net/core/somaxconn")
	fmt.Printf("pid1=%t dir=%s text=%q err=%v env=%s tunl0=%t sysctl=%s",
		os.Getppid() == 1, dir, text, err, os.Getenv("WHO"), has("/sys/class/net/tunl0"), sysctl)
}

func has(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
