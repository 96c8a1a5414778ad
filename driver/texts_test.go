package driver

import (
	"context"
	"slices"
	"testing"
)

// shy is a driver with a few texts, and translations of them.
func shy(texts map[string]string) *Driver {
	about := About{
		Name: "shy", Title: "Shy", Doc: "Says little.", Texts: Texts{"ko": texts},
		Credential: []Field{{Name: "key", Title: "Key", Doc: "The key.", Where: "Ask.", Type: TypeString}},
		Missing:    map[string]string{"vm": "too loud"},
	}
	return New(about, func(context.Context, Config) (*toy, error) { return &toy{}, nil },
		Extension("nod", "Nods.", func(context.Context, *toy, greeting) (greeted, error) { return greeted{}, nil }))
}

func TestUntranslated(t *testing.T) {
	d, _ := shy(map[string]string{"Key": "키", "Says little.": "말이 없습니다.", "The old key.": "옛 키입니다."}).Describe(t.Context())
	lacking, stale := d.Untranslated("ko")
	if want := []string{"Ask.", "Nods.", "Shy", "The key.", "too loud"}; !slices.Equal(lacking, want) {
		t.Errorf("got %q, want %q", lacking, want)
	}
	if !slices.Equal(stale, []string{"The old key."}) {
		t.Errorf("got %q, want the text that is not there any more", stale)
	}
	if lacking, stale := d.Untranslated("de"); len(lacking) != 7 || len(stale) != 0 {
		t.Errorf("got %q and %q, want all and nothing", lacking, stale)
	}
}

func TestTextsTravelWithTheDescription(t *testing.T) {
	client, _ := over(t, shy(map[string]string{"Key": "키"}))
	if d, err := client.Describe(t.Context()); err != nil || d.Texts["ko"]["Key"] != "키" {
		t.Errorf("got %v, %v", d.Texts, err)
	}
}

func TestReadTexts(t *testing.T) {
	texts := ReadTexts([]byte(`{"a":"가"}`), []byte(`{"b":"나"}`))
	if len(texts) != 2 || texts["b"] != "나" {
		t.Errorf("got %v", texts)
	}
	defer func() {
		if recover() == nil {
			t.Error("nonsense was taken")
		}
	}()
	ReadTexts([]byte(`[]`))
}
