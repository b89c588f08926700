// SPDX-License-Identifier: Apache-2.0

package release

import (
	"fmt"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
)

// The answers to a DEL whose namespace is not the pod's. Their wording is a contract,
// because it decides what the runtime does. If an error contains "not found" or, with an
// empty CNI_NETNS, "no such file or directory", go-cni takes the network for removed and
// completes the removal; it searches msg and details. Any other error makes containerd
// try again. cri-dockerd ignores only "no such file or directory", whatever the path.
const (
	// ReleasedWording formats the finding.
	ReleasedWording = "sandbox namespace not found: no such file or directory (%s); released without it"
	// KeptWording formats the finding. It completes the removal as well, because no
	// later attempt would free the address.
	KeptWording = "sandbox namespace not found: no such file or directory (%s); its address was NOT given back, and trying again does not help"
	// RefusedWording formats the finding.
	RefusedWording = "refused to touch a namespace that is not the pod's (%s); not released in full"
	// retryingRuntimes says which runtimes repeat a failed DEL. CRI-O 1.36 removes its
	// cache entry after a failed DEL and takes the network for removed.
	retryingRuntimes = "containerd and cri-dockerd call DEL again, CRI-O and podman do not"
)

// codeInvalidNetns is the error code of the answers.
const codeInvalidNetns = uint(types.ErrInvalidNetNS)

// Answer returns the error that stops the chain of a request. If the outcome is complete,
// the runtime completes the removal; else it tries again, and no address leaks.
func Answer(finding, advice string, r Request, o Outcome) *types.Error {
	parts := append([]string{"The namespace was left alone"}, o.problems()...)
	if o.Complete {
		wording := ReleasedWording
		if o.KeepsAddress() {
			wording = KeptWording
		}
		details := strings.Join(append(parts, advice), ". ")
		return types.NewError(codeInvalidNetns, fmt.Sprintf(wording, finding), details)
	}
	parts = append(parts, retryingRuntimes)
	if r.Network != "" {
		parts = append(parts, "To see what is still held: "+r.Command())
	}
	details := strings.Join(append(parts, advice), ". ")
	return types.NewError(codeInvalidNetns, fmt.Sprintf(RefusedWording, Defuse(finding)), Defuse(details))
}

// problems returns what was not released and what was left behind, as sentences.
func (o Outcome) problems() []string {
	var t []string
	if o.Reason != "" {
		t = append(t, "Not released: "+o.Reason)
	}
	for _, p := range o.Plugins {
		if p.Result == Failed {
			t = append(t, fmt.Sprintf("Plugin %s failed: %s", p.Type, p.Note))
		}
	}
	for _, left := range o.Left {
		t = append(t, "Left on the node: "+left)
	}
	if o.Unrecorded != "" {
		t = append(t, "The release could not be recorded: "+o.Unrecorded)
	}
	return t
}

// Defuse replaces the phrases that complete a removal, in any letter case, in text from
// elsewhere, such as the error of another plugin.
func Defuse(text string) string {
	for _, phrase := range []struct{ dangerous, harmless string }{
		{"not found", "missing"},
		{"no such file or directory", "file missing"},
	} {
		text = replaceFold(text, phrase.dangerous, phrase.harmless)
	}
	return text
}

// replaceFold replaces old, which is in lower case, in text in any letter case. Both
// phrases are ASCII, so folding preserves offsets.
func replaceFold(text, old, with string) string {
	var b strings.Builder
	for {
		i := strings.Index(asciiLower(text), old)
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i] + with)
		text = text[i+len(old):]
	}
}

// asciiLower preserves offsets, unlike strings.ToLower.
func asciiLower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
