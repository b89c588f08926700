// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// PauseArchive returns the sandbox image as an OCI archive. Its one layer holds the
// program /pause.
func PauseArchive(pause string) ([]byte, error) {
	program, err := os.ReadFile(pause)
	if err != nil {
		return nil, fmt.Errorf("make sandbox image: %w", err)
	}
	archive, err := ociArchive(program)
	if err != nil {
		return nil, fmt.Errorf("make sandbox image: %w", err)
	}
	return archive, nil
}

// A blob is a file of an image, and how others of its files refer to it.
type blob struct {
	data []byte
	ref  map[string]any
}

func newBlob(mediaType string, data []byte) blob {
	return blob{data, map[string]any{"mediaType": mediaType, "digest": digest(data), "size": len(data)}}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ociArchive makes an image of one layer that holds the program.
func ociArchive(program []byte) ([]byte, error) {
	layer, err := archive(file{"pause", 0o755, program})
	if err != nil {
		return nil, err
	}
	layerBlob := newBlob("application/vnd.oci.image.layer.v1.tar", layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{"/pause"}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
	})
	if err != nil {
		return nil, err
	}
	configBlob := newBlob("application/vnd.oci.image.config.v1+json", config)
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": configBlob.ref, "layers": []any{layerBlob.ref},
	})
	if err != nil {
		return nil, err
	}
	manifestBlob := newBlob(manifestType, manifest)
	manifestBlob.ref["annotations"] = map[string]string{"io.containerd.image.name": PauseImage}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []any{manifestBlob.ref}})
	if err != nil {
		return nil, err
	}
	files := []file{{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", 0o644, index}}
	for _, b := range []blob{layerBlob, configBlob, manifestBlob} {
		files = append(files, file{"blobs/sha256/" + digest(b.data)[len("sha256:"):], 0o644, b.data})
	}
	return archive(files...)
}

type file struct {
	name string
	mode int64
	data []byte
}

func archive(files ...file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
