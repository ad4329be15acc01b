// Command prune cuts botocore's API models down to the operations listed in
// ops.json and writes them as gzip data. It reads an installed botocore: the
// one of the given -data folder, or the one that "python3" imports.
//
// In ops.json a service's value is "*" (all operations), "*-REGEXP" (all but
// those that match) or a list of names separated by spaces. A name that the
// installed botocore does not know is reported and left out.
//
// additions.json holds, by service, what AWS has added since the installed
// botocore: shapes, and members of shapes, in the model's own form.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/model"
)

func main() {
	log.SetFlags(0)
	data := flag.String("data", "", "botocore's data folder (default: that of python3's botocore)")
	ops := flag.String("ops", "ops.json", "operations to keep, by service")
	additions := flag.String("additions", "additions.json", "shapes that the installed botocore lacks, by service")
	out := flag.String("out", "models", "folder to write to")
	flag.Parse()
	if err := run(*data, *ops, *additions, *out); err != nil {
		log.Fatal("prune: ", err)
	}
}

func run(data, ops, additions, out string) error {
	if data == "" {
		found, err := exec.Command("python3", "-c", "import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), 'data'))").Output()
		if err != nil {
			return fmt.Errorf("find botocore: %w (install it or give -data)", err)
		}
		data = strings.TrimSpace(string(found))
	}
	raw, err := os.ReadFile(ops)
	if err != nil {
		return err
	}
	var specs map[string]string
	if err := json.Unmarshal(raw, &specs); err != nil {
		return fmt.Errorf("parse %s: %w", ops, err)
	}
	if raw, err = os.ReadFile(additions); err != nil {
		return err
	}
	var added map[string]json.RawMessage
	if err := json.Unmarshal(raw, &added); err != nil {
		return fmt.Errorf("parse %s: %w", additions, err)
	}
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		if err := prune(data, name, specs[name], added[name], out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// prune reads the newest model of one service, adds to it, and writes what
// spec keeps.
func prune(data, name, spec string, added []byte, out string) error {
	raw, err := newest(filepath.Join(data, name))
	if err != nil {
		return err
	}
	var additions [][]byte
	if added != nil {
		additions = append(additions, added)
	}
	s, err := model.Load(raw, additions...)
	if err != nil {
		return err
	}
	all := len(s.Operations)
	keep, err := keeper(name, spec, s)
	if err != nil {
		return err
	}
	s.Prune(keep)
	pruned, err := json.Marshal(s)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	zw, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := zw.Write(pruned); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	log.Printf("%-24s %3d of %3d operations, %7d -> %6d bytes", name, len(s.Operations), all, len(raw), packed.Len())
	return os.WriteFile(filepath.Join(out, name+".json.gz"), packed.Bytes(), 0o644)
}

// newest reads the service-2.json of the latest API version in folder.
func newest(folder string) ([]byte, error) {
	found, err := filepath.Glob(filepath.Join(folder, "20*", "service-2.json*"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no service-2.json below %s", folder)
	}
	slices.Sort(found)
	path := found[len(found)-1]
	raw, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return raw, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return io.ReadAll(zr)
}

func keeper(name, spec string, s *model.Service) (func(string) bool, error) {
	if spec == "*" {
		return func(string) bool { return true }, nil
	}
	if pattern, ok := strings.CutPrefix(spec, "*-"); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		return func(op string) bool { return !re.MatchString(op) }, nil
	}
	wanted := strings.Fields(spec)
	for _, op := range wanted {
		if s.Operations[op] == nil {
			log.Printf("%s has no operation %s in this botocore", name, op)
		}
	}
	return func(op string) bool { return slices.Contains(wanted, op) }, nil
}
