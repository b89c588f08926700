// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Loaded is what containerd works with, whatever lies on the disk by now.
type Loaded struct {
	ConfDir    string
	BinDirs    []string
	MaxConfNum int
	// Networks are those that a pod is attached to, in order. containerd's own for
	// lo is left out.
	Networks []Network
	// Trouble says why containerd could not load the directory when it last tried, in
	// its own words; "" if it could.
	Trouble string
}

// A Network is a list of plugins as it was loaded.
type Network struct {
	Name       string
	CNIVersion string
	Plugins    []json.RawMessage // the entries, in the order of ADD
}

// loopbackNetwork is the network that go-cni adds for lo.
const loopbackNetwork = "cni-loopback"

// ErrNotContainerd means that a status has not what containerd puts into its own.
var ErrNotContainerd = errors.New("the status has no cniconfig, which containerd's has")

// Loaded reads what containerd 1.6 and newer has loaded (go-cni, ConfigResult).
func (s Status) Loaded() (Loaded, error) {
	text, ok := s.Info["cniconfig"]
	if !ok {
		return Loaded{}, ErrNotContainerd
	}
	var config struct {
		PluginDirs       []string
		PluginConfDir    string
		PluginMaxConfNum int
		Networks         []struct {
			Config struct {
				Name       string
				CNIVersion string
				Plugins    []struct{ Source string }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return Loaded{}, fmt.Errorf("read what containerd has loaded: %w", err)
	}
	l := Loaded{ConfDir: config.PluginConfDir, BinDirs: config.PluginDirs, MaxConfNum: config.PluginMaxConfNum}
	if last := s.Info["lastCNILoadStatus"]; last != "OK" {
		l.Trouble = last
	}
	for _, network := range config.Networks {
		if network.Config.Name == loopbackNetwork {
			continue
		}
		n := Network{Name: network.Config.Name, CNIVersion: network.Config.CNIVersion}
		for _, p := range network.Config.Plugins {
			if !json.Valid([]byte(p.Source)) {
				return Loaded{}, fmt.Errorf("read what containerd has loaded: an entry of network %q is no JSON", n.Name)
			}
			n.Plugins = append(n.Plugins, json.RawMessage(p.Source))
		}
		l.Networks = append(l.Networks, n)
	}
	return l, nil
}

// CRIOConfig returns the configuration that a CRI-O works with, as TOML. It serves
// it at its socket by HTTP/1 (server/inspect.go), beside CRI.
func CRIOConfig(ctx context.Context, socket string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://crio/config", nil)
	if err == nil {
		var config []byte
		if config, err = at(socket, true).do(request); err == nil {
			return config, nil
		}
	}
	return nil, fmt.Errorf("read configuration of the running CRI-O: %w", err)
}
