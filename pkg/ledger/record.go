// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Key identifies an attachment, as the CNI spec does.
type Key struct {
	Network     string `json:"network"`
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifName"`
}

// fileName joins the parts of the key with colons, which none of them may contain
// (SPEC 1.1, section "Parameters"). A name that is longer than a file name may be
// is cut and gets a hash of the whole. Slashes are replaced, so that a key whose
// parts were not checked cannot name a file outside the directory.
func (k Key) fileName() string {
	const limit = 200 // NAME_MAX is 255; renameio adds a prefix and a number
	name := strings.ReplaceAll(k.Network+":"+k.ContainerID+":"+k.IfName, "/", "%")
	if len(name) <= limit {
		return name
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%s:%x", name[:limit-40], h.Sum(nil))
}

// A Record is what ADD recorded about a sandbox.
type Record struct {
	Key
	BootID string         `json:"bootID"`           // a record of another boot is no evidence
	Cookie uint64         `json:"cookie,omitempty"` // SO_NETNS_COOKIE; 0 on kernels older than 5.14
	Netns  string         `json:"netns"`            // CNI_NETNS of the ADD, for messages
	MAC    string         `json:"mac,omitempty"`    // of IfName in the sandbox, from the CNI result
	Addrs  []netip.Prefix `json:"addrs,omitempty"`  // of IfName in the sandbox, from the CNI result
	Links  []string       `json:"links,omitempty"`  // interfaces of the node, from the CNI result
	Pod    string         `json:"pod,omitempty"`    // "namespace/name" if Kubernetes called
	Added  time.Time      `json:"added"`

	// Released means that the chain gave back everything it held outside the
	// sandbox. A second release would damage the next pod with the same address.
	Released bool `json:"released,omitempty"`
	// Release is the progress of a release that is not known to be complete.
	Release *Release `json:"release,omitempty"`
	// Retired means that a DEL followed. It is not stored in the file: the
	// directory of the record says it.
	Retired bool `json:"-"`
}

// A Release is the progress of the release of an attachment. It is written before
// each step, so that a release that was killed does not call a plugin twice.
type Release struct {
	Began  time.Time `json:"began"`
	Called []string  `json:"called,omitempty"` // types of the plugins that clean up by address and whose DEL has begun
	Failed []string  `json:"failed,omitempty"` // those of Called whose DEL failed
}

// encode returns the JSON of a record, which is that of json.Marshal. The encoder of the
// standard library first builds an encoder for every type of the struct. That took
// longer than to write the file, and 3 % of an ADD.
func (r *Record) encode() ([]byte, error) {
	b := make([]byte, 0, 512)
	b = append(b, '{')
	text := func(key, value string) { b = appendString(appendKey(b, key), value) }
	text("network", r.Network)
	text("containerID", r.ContainerID)
	text("ifName", r.IfName)
	text("bootID", r.BootID)
	if r.Cookie != 0 {
		b = strconv.AppendUint(appendKey(b, "cookie"), r.Cookie, 10)
	}
	text("netns", r.Netns)
	if r.MAC != "" {
		text("mac", r.MAC)
	}
	addrs := make([]string, len(r.Addrs))
	for i, a := range r.Addrs {
		text, err := a.MarshalText()
		if err != nil {
			return nil, err
		}
		addrs[i] = string(text)
	}
	b = appendStrings(b, "addrs", addrs)
	b = appendStrings(b, "links", r.Links)
	if r.Pod != "" {
		text("pod", r.Pod)
	}
	added, err := r.Added.MarshalJSON()
	if err != nil {
		return nil, err
	}
	b = append(appendKey(b, "added"), added...)
	if r.Released {
		b = append(appendKey(b, "released"), "true"...)
	}
	if r.Release != nil {
		release, err := json.Marshal(r.Release)
		if err != nil {
			return nil, err
		}
		b = append(appendKey(b, "release"), release...)
	}
	return append(b, '}'), nil
}

func appendKey(b []byte, key string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), key...), '"', ':')
}

// appendStrings leaves out an empty list.
func appendStrings(b []byte, key string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(appendKey(b, key), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always can be
	return append(b, quoted...)
}

// parseRecord parses a record. A record without a key or a boot ID is an error.
func parseRecord(data []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	if r.Network == "" || r.ContainerID == "" || r.IfName == "" || r.BootID == "" {
		return nil, errors.New("parse record: network, containerID, ifName and bootID must be set")
	}
	return r, nil
}
