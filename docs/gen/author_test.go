package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page for authors of drivers quotes the drivers; each quotation begins with the
// file that it is from. Its lines must be there, in this order; … stands for others.
func TestThePageForAuthorsQuotesTheDriversAsTheyAre(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "driver-author.md"))
	if err != nil {
		t.Fatal(err)
	}
	quotations := regexp.MustCompile("(?s)```go\n// (drivers/\\S+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(quotations) < 5 {
		t.Fatalf("the page has only %d quotations", len(quotations))
	}
	for _, quotation := range quotations {
		source, err := os.ReadFile(filepath.Join("..", "..", quotation[1]))
		if err != nil {
			t.Fatal(err)
		}
		rest := strings.Split(string(source), "\n")
		for line := range strings.Lines(quotation[2]) {
			line = strings.TrimSuffix(line, "\n")
			if strings.TrimSpace(line) == "…" {
				continue
			}
			i := slices.IndexFunc(rest, func(of string) bool { return strings.HasPrefix(of, line) })
			if i < 0 {
				t.Errorf("%s has no line, or not at this place:\n%s", quotation[1], line)
				break
			}
			rest = rest[i+1:]
		}
	}
}
