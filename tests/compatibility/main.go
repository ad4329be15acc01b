// Command compatibility makes design/compatibility.md, the page of what each client was
// seen to do, out of records of tests: see engine/record.go. A record is made by running
// the tests with SLIPWAY_RECORD=FILE.
//
//	go run ./tests/compatibility -record FILE          # writes the page
//	go run ./tests/compatibility -record FILE -check   # fails when the page claims what the record does not prove
//
// A client that the record has nothing of, such as one that this machine lacks, keeps the
// column that the page has.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	record := flag.String("record", "", "record of the tests")
	page := flag.String("page", "design/compatibility.md", "the page")
	check := flag.Bool("check", false, "compare, and write nothing")
	flag.Parse()
	if err := run(*record, *page, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(record, page string, check bool) error {
	b, err := os.ReadFile(record)
	if err != nil {
		return fmt.Errorf("%w; run the tests with SLIPWAY_RECORD=%s first", err, record)
	}
	seen, err := readRecord(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%s: %w", record, err)
	}
	old, err := os.ReadFile(page)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	before := readPage(string(old))
	if !check {
		return os.WriteFile(page, []byte(seen.with(before).page()), 0o644)
	}
	if wrong := seen.contradictions(before); len(wrong) > 0 {
		return fmt.Errorf("%s is not what the tests prove; run: make compatibility\n  %s", page, strings.Join(wrong, "\n  "))
	}
	return nil
}
