// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageName is the reference under which runtimes import the image.
const imageName = "ghcr.io/cni-guard/cni-guard"

// The programs of the image are in its root: the init container calls /guardctl, which
// installs those beside it.
var imagePrograms = [...]string{"cni-guard", "cni-guard-agent", "guardctl", "loopback"}

// image writes the OCI image of all architectures as an archive that crane, skopeo,
// podman and ctr read, and returns its name.
func (r release) image(out string) (string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range architectures {
		img, err := r.platform(arch)
		if err != nil {
			return "", fmt.Errorf("make the image of %s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	archive, err := layoutArchive(index, r)
	if err != nil {
		return "", err
	}
	name := "cni-guard-" + r.version + "-image.tar"
	return name, write(filepath.Join(out, name), archive)
}

// platform returns the image of one architecture: the programs, the license and the list of components.
func (r release) platform(arch string) (v1.Image, error) {
	files, err := r.binaries(arch, imagePrograms[:]...)
	if err != nil {
		return nil, err
	}
	license, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("read the license: %w", err)
	}
	components, err := r.sbom([]string{arch}, imagePrograms[:])
	if err != nil {
		return nil, err
	}
	files = append(files,
		file{name: "usr/share/doc/cni-guard/LICENSE", mode: 0o644, data: license},
		file{name: "usr/share/doc/cni-guard/sbom.spdx.json", mode: 0o644, data: components})
	tar, err := pack(files, r.time)
	if err != nil {
		return nil, err
	}
	compressed, err := compress(tar)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(compressed)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: r.time}, CreatedBy: "scripts/release", Comment: "the programs of cni-guard"},
	})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Created = v1.Time{Time: r.time}
	config.Config = v1.Config{
		Entrypoint: []string{"/cni-guard-agent"},
		Env:        []string{"PATH=/"},
		WorkingDir: "/",
		// Root without a capability reads what root owns, such as a conflist with mode 0600.
		User: "0:0",
		Labels: map[string]string{
			"org.opencontainers.image.title":    "cni-guard",
			"org.opencontainers.image.version":  r.version,
			"org.opencontainers.image.source":   "https://github.com/cni-guard/cni-guard",
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(img, config)
}

// layoutArchive returns an OCI image layout as a tar archive. Its index names the image
// twice: for containerd, and for everything that follows the specification.
func layoutArchive(image v1.ImageIndex, r release) ([]byte, error) {
	dir, err := os.MkdirTemp("", "layout-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the image: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // scratch
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		return nil, fmt.Errorf("write the image: %w", err)
	}
	tag := imageTag(r.version)
	err = p.AppendIndex(image, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          imageName + ":" + tag,
		"org.opencontainers.image.ref.name": tag,
	}))
	if err != nil {
		return nil, fmt.Errorf("write the image: %w", err)
	}
	files, err := tree(dir, "")
	if err != nil {
		return nil, err
	}
	return pack(files, r.time)
}

// imageTag returns the version in the alphabet of tags, which has no plus sign.
func imageTag(version string) string {
	tag := []byte(version)
	for i, c := range tag {
		if c == '+' {
			tag[i] = '-'
		}
	}
	return string(tag)
}
