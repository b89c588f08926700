// SPDX-License-Identifier: Apache-2.0

// Package critest is a container runtime for tests, as far as package cri asks one.
package critest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
)

// A Runtime is what a runtime answers. It can be read from JSON.
type Runtime struct {
	Status    cri.Status
	Sandboxes []cri.Sandbox
	Config    string // what CRI-O serves by HTTP/1; "": nothing
	Fails     string // the message of the gRPC error that each call gets; "": none

	// Loaded becomes the "cniconfig" of the status, in containerd's form, with its
	// "lastCNILoadStatus"; nil adds nothing.
	Loaded *cri.Loaded
}

// Serve serves at a listener until it is closed.
func (r Runtime) Serve(l net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Handler: r.handler(), Protocols: &protocols, ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}

func (r Runtime) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/runtime.v1.RuntimeService/", func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		w.Header().Set("Content-Type", "application/grpc")
		if r.Fails != "" {
			w.Header().Set("Grpc-Status", "12")
			w.Header().Set("Grpc-Message", r.Fails)
			return
		}
		message := r.status()
		if request.URL.Path == "/runtime.v1.RuntimeService/ListPodSandbox" {
			message = r.sandboxes()
		}
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
		w.Header().Set("Grpc-Status", "0")
	})
	mux.HandleFunc("/config", func(w http.ResponseWriter, _ *http.Request) {
		if r.Config == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, r.Config)
	})
	return mux
}

func (r Runtime) status() []byte {
	condition := text(text(nil, 1, "NetworkReady"), 4, r.Status.Message)
	if r.Status.NetworkReady {
		condition = protowire.AppendVarint(protowire.AppendTag(condition, 2, protowire.VarintType), 1)
	}
	other := protowire.AppendVarint(protowire.AppendTag(text(nil, 1, "RuntimeReady"), 2, protowire.VarintType), 1)
	message := text(nil, 1, string(text(text(nil, 1, string(other)), 1, string(condition))))
	for key, value := range r.info() {
		message = text(message, 2, string(text(text(nil, 1, key), 2, value)))
	}
	return message
}

func (r Runtime) info() map[string]string {
	info := map[string]string{}
	for key, value := range r.Status.Info {
		info[key] = value
	}
	if r.Loaded == nil {
		return info
	}
	networks := []any{map[string]any{"Config": map[string]any{"Name": "cni-loopback"}, "IFName": "lo"}}
	for i, network := range r.Loaded.Networks {
		var plugins []any
		for _, p := range network.Plugins {
			plugins = append(plugins, map[string]any{"Source": string(p)})
		}
		config := map[string]any{"Name": network.Name, "CNIVersion": network.CNIVersion, "Plugins": plugins}
		networks = append(networks, map[string]any{"Config": config, "IFName": fmt.Sprintf("eth%d", i)})
	}
	config, _ := json.Marshal(map[string]any{ // of strings and numbers only
		"PluginDirs": r.Loaded.BinDirs, "PluginConfDir": r.Loaded.ConfDir, "PluginMaxConfNum": r.Loaded.MaxConfNum, "Prefix": "eth", "Networks": networks,
	})
	info["cniconfig"], info["lastCNILoadStatus"] = string(config), "OK"
	if r.Loaded.Trouble != "" {
		info["lastCNILoadStatus"] = r.Loaded.Trouble
	}
	return info
}

func (r Runtime) sandboxes() (message []byte) {
	for _, s := range r.Sandboxes {
		metadata := text(text(nil, 1, s.Name), 3, s.Namespace)
		message = text(message, 1, string(text(text(nil, 1, s.ID), 2, string(metadata))))
	}
	return message
}

// text appends a field of bytes.
func text(message []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(message, field, protowire.BytesType), value)
}
