package weights

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// A GGUF file may be split: NAME-00001-of-00003.gguf and so on. Each part is a GGUF
// file; the first has all metadata, the others say which they are.

// splitName takes "NAME-00002-of-00003.gguf" apart to NAME, 2 and 3.
func splitName(file string) (stem string, part, parts int, ok bool) {
	const digits = 5
	name, isGGUF := strings.CutSuffix(file, ggufExt)
	suffix := len("-00001-of-00003")
	if !isGGUF || len(name) <= suffix {
		return "", 0, 0, false
	}
	stem, name = name[:len(name)-suffix], name[len(name)-suffix:]
	number := func(s string) int {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return 0
		}
		return int(n)
	}
	part, parts = number(name[1:1+digits]), number(name[len(name)-digits:])
	ok = name[0] == '-' && name[1+digits:len(name)-digits] == "-of-" && 1 <= part && part <= parts
	return stem, part, parts, ok
}

func partName(stem string, part, parts int) string {
	return fmt.Sprintf("%s-%05d-of-%05d%s", stem, part, parts, ggufExt)
}

// onlyGGUF is the GGUF file of a folder, or the first part of it; "" if the files
// are not one.
func onlyGGUF(files []string) string {
	if len(files) == 1 {
		return files[0]
	}
	first := ""
	for _, file := range files {
		stem, _, parts, ok := splitName(file)
		if !ok || parts != len(files) || first != "" && first != partName(stem, 1, parts) {
			return ""
		}
		first = partName(stem, 1, parts)
	}
	return first
}

// openGGUF maps a GGUF file, and the other parts if it is split, and adds its tensors
// and the files made of it.
func (c *Checkpoint) openGGUF(name string) error {
	metadata, tensors, err := c.openGGUFPart(name)
	if err != nil {
		return err
	}
	if parts, errCount := metadata.integer("split.count"); errCount == nil && parts > 1 {
		if tensors, err = c.openGGUFParts(name, parts, metadata, tensors); err != nil {
			return err
		}
	}
	c.files, tensors, err = metadata.checkpoint(tensors)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path(name), err)
	}
	for _, t := range tensors {
		if err := c.add(t.file, []*Tensor{t}); err != nil {
			return err
		}
	}
	return nil
}

// openGGUFPart maps a file and checks it.
func (c *Checkpoint) openGGUFPart(name string) (ggufMetadata, []*Tensor, error) {
	data, err := c.mapFile(name)
	if err != nil {
		return nil, nil, err
	}
	metadata, tensors, err := parseGGUF(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.path(name), err)
	}
	for _, t := range tensors {
		t.file = name
	}
	return metadata, tensors, nil
}

// openGGUFParts adds the tensors of the other parts to those of the first.
func (c *Checkpoint) openGGUFParts(name string, parts int64, first ggufMetadata, tensors []*Tensor) ([]*Tensor, error) {
	if parts > maxShards {
		return nil, fmt.Errorf("%s: split.count: %d parts, at most %d are allowed", c.path(name), parts, maxShards)
	}
	stem, part, named, ok := splitName(path.Base(name))
	if !ok || int64(named) != parts {
		return nil, fmt.Errorf("%s: split.count: %d parts, which the name of the file does not say", c.path(name), parts)
	}
	if part != 1 {
		return nil, fmt.Errorf("%s: part %d of %d; open %s", c.path(name), part, parts, partName(stem, 1, named))
	}
	seen := make(map[string]string, len(tensors))
	for _, t := range tensors {
		seen[t.Name] = t.file
	}
	for i := 2; i <= named; i++ {
		file := partName(stem, i, named)
		metadata, more, err := c.openGGUFPart(file)
		if err != nil {
			return nil, err
		}
		number, errNumber := metadata.integer("split.no")
		count, errCount := metadata.integer("split.count")
		if errNumber != nil || errCount != nil || number != int64(i-1) || count != parts {
			return nil, fmt.Errorf("%s: split.no: not part %d of %d", c.path(file), i, parts)
		}
		for _, t := range more {
			if other, ok := seen[t.Name]; ok {
				return nil, fmt.Errorf("%s: tensor %q: also in %s", c.path(file), t.Name, other)
			}
			seen[t.Name] = file
		}
		tensors = append(tensors, more...)
	}
	if n, err := first.integer("split.tensors.count"); err == nil && n != int64(len(tensors)) {
		return nil, fmt.Errorf("%s: split.tensors.count: %d, but the parts hold %d", c.path(name), n, len(tensors))
	}
	return tensors, nil
}
