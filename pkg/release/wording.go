// SPDX-License-Identifier: Apache-2.0

package release

import (
	"fmt"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
)

// The answers to a DEL that is given another namespace than the pod's. Their
// wording decides what the runtime does, so it is a contract: go-cni takes an
// error that contains "not found" (and, with an empty CNI_NETNS, "no such file
// or directory") for a network that is gone, and completes the removal; it
// searches msg and details alike. Any other error makes containerd try again.
// cri-dockerd ignores "no such file or directory" only, whatever the path.
const (
	// ReleasedWording takes the sentence of the finding.
	ReleasedWording = "sandbox namespace not found: no such file or directory (%s); released without it"
	// KeptWording takes the sentence of the finding. It completes the removal as
	// well: to try again for ever would not give the address back either.
	KeptWording = "sandbox namespace not found: no such file or directory (%s); its address was NOT given back, and trying again does not help"
	// HeldWording takes the sentence of the finding.
	HeldWording = "refused to touch a namespace that is not the pod's (%s); not released in full"
	// whoRetries says which runtimes give the release another chance. After a DEL that
	// failed CRI-O 1.36 removes its cache entry and takes the network for removed.
	whoRetries = "containerd and cri-dockerd call DEL again, CRI-O and podman do not"
)

// codeInvalidNetns is types.ErrInvalidNetNS as the number that the answer has.
const codeInvalidNetns = uint(types.ErrInvalidNetNS)

// Answer words the error that stops the chain of a request. Where the outcome is
// complete the removal is completed; else it is tried again and no address is
// lost.
func Answer(finding, advice string, r Request, o Outcome) *types.Error {
	said := append([]string{"The namespace was left alone"}, o.troubles()...)
	if o.Complete {
		wording := ReleasedWording
		if o.Keeps() {
			wording = KeptWording
		}
		details := strings.Join(append(said, advice), ". ")
		return types.NewError(codeInvalidNetns, fmt.Sprintf(wording, finding), details)
	}
	said = append(said, whoRetries)
	if r.Network != "" {
		said = append(said, "To see what is still held: "+r.Command())
	}
	details := strings.Join(append(said, advice), ". ")
	return types.NewError(codeInvalidNetns, fmt.Sprintf(HeldWording, Defuse(finding)), Defuse(details))
}

// troubles lists what was not released, and what was left over.
func (o Outcome) troubles() []string {
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

// Keeps reports whether a plugin kept the address though its DEL succeeded.
func (o Outcome) Keeps() bool {
	return slices.ContainsFunc(o.Plugins, func(p Plugin) bool { return p.Result == Kept })
}

// Defuse takes the phrases that complete a removal out of words that are not
// ours, such as another plugin's error, in whatever case they are written.
func Defuse(text string) string {
	for _, phrase := range []struct{ dangerous, harmless string }{
		{"not found", "missing"},
		{"no such file or directory", "file missing"},
	} {
		text = replaceFold(text, phrase.dangerous, phrase.harmless)
	}
	return text
}

// replaceFold replaces old, given in lower case, wherever it stands in text in
// any case. Both phrases are ASCII, so that folding keeps offsets.
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

// asciiLower keeps every offset, which strings.ToLower does not.
func asciiLower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
