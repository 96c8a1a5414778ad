package resource

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsOnlyWrittenIsTakenOutAndPutBack(t *testing.T) {
	whole := `{"adminPassword":"only \"written\"","image":"i","rootDiskSizeGiB":9007199254740993}`
	shown, hidden, err := VM.Hide(json.RawMessage(whole))
	require.NoError(t, err)
	assert.JSONEq(t, `{"image":"i","rootDiskSizeGiB":9007199254740993}`, string(shown))
	assert.Equal(t, map[string]string{"adminPassword": `only "written"`}, hidden)
	back, err := Reveal(shown, hidden)
	require.NoError(t, err)
	assert.Equal(t, whole, string(back), "large numbers, too")

	shown, hidden, err = VM.Hide(json.RawMessage(`{"image":"i"}`))
	require.NoError(t, err)
	assert.Empty(t, hidden)
	assert.Equal(t, `{"image":"i"}`, string(shown))
	_, _, err = VM.Hide(json.RawMessage(`{"adminPassword":7}`))
	assert.Equal(t, CodeInternal, CodeOf(err))
	stop, err := VM.Action("stop")
	require.NoError(t, err)
	_, hidden, err = stop.Hide(nil)
	require.NoError(t, err)
	assert.Empty(t, hidden, "it has no parameters")
}

// Only texts at the top of a specification or of parameters can be hidden.
func TestWhatIsOnlyWrittenIsATextAtTheTop(t *testing.T) {
	var look func(at string, t0 reflect.Type, top bool)
	look = func(at string, t0 reflect.Type, top bool) {
		for t0.Kind() == reflect.Slice || t0.Kind() == reflect.Pointer || t0.Kind() == reflect.Map {
			t0 = t0.Elem()
		}
		if t0.Kind() != reflect.Struct {
			return
		}
		for f := range t0.Fields() {
			if writeOnly(f) {
				assert.True(t, top && f.Type.Kind() == reflect.String, "%s.%s", at, f.Name)
			}
			if f.PkgPath == "" && f.Type != t0 {
				look(at+"."+f.Name, f.Type, false)
			}
		}
	}
	for _, k := range Kinds() {
		look(k.Name, k.SpecType(), true)
		look(k.Name+" status", k.StatusType(), false)
		for _, a := range k.Actions {
			if a.ParamsType() != nil {
				look(k.Name+" "+a.Name, a.ParamsType(), true)
			}
		}
	}
}
