package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The pages for authors of drivers quote the drivers; each quotation begins with the
// file that it is from. Its lines must be there, in this order; … stands for others.
func TestThePagesForAuthorsQuoteTheDriversAsTheyAre(t *testing.T) {
	var quotations [][]string
	for name, least := range map[string]int{"driver-author.md": 5, "writing-a-driver.md": 1} {
		page, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("(?s)```go\n// (drivers?/\\S+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
		if len(found) < least {
			t.Fatalf("%s has only %d quotations", name, len(found))
		}
		quotations = append(quotations, found...)
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
