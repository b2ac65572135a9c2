// Package blobtest holds the promises of blob.Store as a suite that every driver runs.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"millrace/internal/core/blob"
)

// Run runs the suite; open returns an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s blob.Store)
	}{
		{"PutIsReadBackInRanges", putIsReadBack},
		{"RangesOutsideAreRefused", rangesOutside},
		{"AbsentObjectsAreNotFound", absent},
		{"PutIfAbsentKeepsTheFirst", ifAbsent},
		{"OneOfManyRacingPutsWins", race},
		{"ListIsOrderedAndPaged", list},
		{"DeleteIsIdempotent", deleteTwice},
		{"UploadAppearsWhenComplete", uploads},
		{"UploadPartsHaveASize", parts},
		{"AbortedUploadLeavesNothing", abort},
		{"BadNamesAreRefused", names},
		{"EndedContextIsObeyed", ended},
		{"LargePutIsRefused", large},
		{"RandomOperationsMatchAMap", random},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			tt.run(t, s)
			if err := errors.Join(s.Close(), s.Close()); err != nil {
				t.Fatalf("Close twice: %v", err)
			}
		})
	}
}

func put(t *testing.T, s blob.Store, name, data string) {
	t.Helper()
	if err := s.Put(t.Context(), name, []byte(data), false); err != nil {
		t.Fatalf("Put %s: %v", name, err)
	}
}

func wantGet(t *testing.T, s blob.Store, name, want string) {
	t.Helper()
	got, err := s.GetRange(t.Context(), name, 0, -1, nil)
	if err != nil || string(got) != want {
		t.Fatalf("GetRange %s: %.40q (%d bytes), %v, want %.40q", name, got, len(got), err, want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func putIsReadBack(t *testing.T, s blob.Store) {
	data := []byte("0123456789")
	if err := s.Put(t.Context(), "a/b/c", data, false); err != nil {
		t.Fatal(err)
	}
	clear(data) // the store must not have kept it
	put(t, s, "empty", "")
	wantGet(t, s, "empty", "")
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{{0, 10, "0123456789"}, {3, 4, "3456"}, {7, -1, "789"}, {10, -1, ""}, {10, 0, ""}, {0, 0, ""}} {
		got, err := s.GetRange(t.Context(), "a/b/c", tt.offset, tt.length, []byte("x"))
		if err != nil || string(got) != "x"+tt.want {
			t.Fatalf("GetRange(%d, %d) = %q, %v, want x%s", tt.offset, tt.length, got, err, tt.want)
		}
		got[0] = 'y'
	}
	wantGet(t, s, "a/b/c", "0123456789")
	info, err := s.Head(t.Context(), "a/b/c")
	if err != nil || info.Name != "a/b/c" || info.Size != 10 {
		t.Fatalf("Head: %+v, %v", info, err)
	}
	put(t, s, "a/b/c", "0123456789") // a retry
	wantGet(t, s, "a/b/c", "0123456789")
}

func rangesOutside(t *testing.T, s blob.Store) {
	put(t, s, "a", "0123456789")
	for _, r := range [][2]int64{{0, 11}, {11, 0}, {11, -1}, {5, 6}, {-1, 2}, {1<<63 - 1, 2}, {2, 1<<63 - 1}, {0, -2}} {
		_, err := s.GetRange(t.Context(), "a", r[0], r[1], nil)
		wantErr(t, fmt.Sprintf("GetRange(%d, %d) of 10 bytes", r[0], r[1]), err, blob.ErrRange)
	}
}

func absent(t *testing.T, s blob.Store) {
	put(t, s, "a/b", "x")
	for _, name := range []string{"b", "a", "a/c", "a/b/c", "c/d"} {
		_, err := s.GetRange(t.Context(), name, 0, -1, nil)
		wantErr(t, "GetRange "+name, err, blob.ErrNotFound)
		_, err = s.Head(t.Context(), name)
		wantErr(t, "Head "+name, err, blob.ErrNotFound)
	}
}

func ifAbsent(t *testing.T, s blob.Store) {
	if err := s.Put(t.Context(), "a/b", []byte("first"), true); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "second Put", s.Put(t.Context(), "a/b", []byte("second"), true), blob.ErrExists)
	wantGet(t, s, "a/b", "first")
	u := upload(t, s, "a/b", "third")
	wantErr(t, "Complete", u.Complete(t.Context(), true), blob.ErrExists)
	wantGet(t, s, "a/b", "first")
}

func race(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = s.Put(t.Context(), "new/name", []byte{byte(i)}, true) })
	}
	wg.Wait()
	winner := slices.Index(errs, nil)
	for i, err := range errs {
		if i != winner {
			wantErr(t, fmt.Sprintf("Put %d, after %d won", i, winner), err, blob.ErrExists)
		}
	}
	wantGet(t, s, "new/name", string([]byte{byte(winner)}))
}

// all pages through a listing.
func all(t *testing.T, s blob.Store, prefix, after string, limit int) []string {
	t.Helper()
	var names []string
	for {
		page, err := s.List(t.Context(), prefix, after, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("List(%q, %q, %d): %d, %v", prefix, after, limit, len(page), err)
		}
		if len(page) == 0 {
			return names
		}
		for _, info := range page {
			names = append(names, info.Name)
		}
		after = names[len(names)-1]
	}
}

func list(t *testing.T, s blob.Store) {
	names := []string{"a-b", "a.b", "a/b", "a/c/d", "a/c-d", "a0", "ab", "b/a", "b/b"}
	for _, name := range names {
		put(t, s, name, name)
	}
	slices.Sort(names)
	for _, prefix := range []string{"", "a", "a/", "a/c", "a/c/", "b/a", "c", "a-"} {
		for _, after := range []string{"", "a", "a/", "a/b", "a/c/d", "a/c0", "zz"} {
			var want []string
			for _, name := range names {
				if name > after && strings.HasPrefix(name, prefix) {
					want = append(want, name)
				}
			}
			for _, limit := range []int{1, 2, 100} {
				if got := all(t, s, prefix, after, limit); !slices.Equal(got, want) {
					t.Fatalf("List(%q, %q) by %d: %v, want %v", prefix, after, limit, got, want)
				}
			}
		}
	}
	page, err := s.List(t.Context(), "a/c/d", "", 10)
	if err != nil || len(page) != 1 || page[0].Size != 5 {
		t.Fatalf("List of one: %+v, %v", page, err)
	}
}

func deleteTwice(t *testing.T, s blob.Store) {
	put(t, s, "a/b/c", "x")
	put(t, s, "a/d", "y")
	for range 2 {
		for _, name := range []string{"a/b/c", "never", "a/d/e"} {
			if err := s.Delete(t.Context(), name); err != nil {
				t.Fatalf("Delete %s: %v", name, err)
			}
		}
	}
	if got := all(t, s, "", "", 10); !slices.Equal(got, []string{"a/d"}) {
		t.Fatalf("left %v, want a/d", got)
	}
	put(t, s, "a/b/e", "z") // the folder may be gone
	wantGet(t, s, "a/b/e", "z")
}

func upload(t *testing.T, s blob.Store, name string, parts ...string) blob.Upload {
	t.Helper()
	u, err := s.NewUpload(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if err := u.Write(t.Context(), []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func uploads(t *testing.T, s blob.Store) {
	part := strings.Repeat("p", blob.MinPartSize)
	u := upload(t, s, "big/one", part, part, "end")
	_, err := s.Head(t.Context(), "big/one")
	wantErr(t, "Head before Complete", err, blob.ErrNotFound)
	if got := all(t, s, "", "", 10); len(got) > 0 {
		t.Fatalf("listed before Complete: %v", got)
	}
	if err := u.Complete(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "big/one", part+part+"end")
	if err := u.Abort(t.Context()); err != nil {
		t.Fatalf("Abort after Complete: %v", err)
	}
	wantErr(t, "Write after Complete", u.Write(t.Context(), nil), blob.ErrPart)
	wantErr(t, "Complete twice", u.Complete(t.Context(), false), blob.ErrPart)
	wantGet(t, s, "big/one", part+part+"end")

	if err := upload(t, s, "none").Complete(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "none", "")
}

func parts(t *testing.T, s blob.Store) {
	u := upload(t, s, "a", "short")
	wantErr(t, "a part after a short one", u.Write(t.Context(), []byte("x")), blob.ErrPart)
	if err := u.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func abort(t *testing.T, s blob.Store) {
	u := upload(t, s, "a", "x")
	for range 2 {
		if err := u.Abort(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, "Complete after Abort", u.Complete(t.Context(), false), blob.ErrPart)
	if got := all(t, s, "", "", 10); len(got) > 0 {
		t.Fatalf("left %v", got)
	}
}

func names(t *testing.T, s blob.Store) {
	for _, name := range []string{"", "/", "/a", "a/", "a//b", "A", "a b", ".a", "a/.b", "a.", "..", "a/../b", "ä", "a\\b", "con", "x/nul.txt", "com1", "lpt9.x", strings.Repeat("a", 201), strings.Repeat("a/", 256) + "a"} {
		_, err := s.NewUpload(t.Context(), name)
		wantErr(t, fmt.Sprintf("NewUpload %.40q", name), err, blob.ErrName)
		wantErr(t, fmt.Sprintf("Put %.40q", name), s.Put(t.Context(), name, nil, false), blob.ErrName)
		wantErr(t, fmt.Sprintf("Delete %.40q", name), s.Delete(t.Context(), name), blob.ErrName)
		_, err = s.Head(t.Context(), name)
		wantErr(t, fmt.Sprintf("Head %.40q", name), err, blob.ErrName)
		_, err = s.GetRange(t.Context(), name, 0, -1, nil)
		wantErr(t, fmt.Sprintf("GetRange %.40q", name), err, blob.ErrName)
	}
	for _, name := range []string{"a", "0/x=1/y_2-z.zip", "console", "com", "comx", "com10"} {
		put(t, s, name, name)
		wantGet(t, s, name, name)
	}
}

func ended(t *testing.T, s blob.Store) {
	put(t, s, "a", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, get := s.GetRange(ctx, "a", 0, -1, nil)
	_, head := s.Head(ctx, "a")
	_, list := s.List(ctx, "", "", 1)
	_, up := s.NewUpload(ctx, "b")
	for i, err := range []error{get, head, list, up, s.Put(ctx, "b", []byte("x"), false), s.Delete(ctx, "a")} {
		wantErr(t, fmt.Sprintf("call %d", i), err, context.Canceled)
	}
	if got := all(t, s, "", "", 10); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("left %v, want a", got)
	}
}

func large(t *testing.T, s blob.Store) {
	wantErr(t, "Put", s.Put(t.Context(), "a", make([]byte, blob.MaxPutSize+1), false), blob.ErrTooLarge)
}

func random(t *testing.T, s blob.Store) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	want := map[string][]byte{}
	for i := range 400 {
		name := fmt.Sprintf("d%d/e%d/f%d", rng.IntN(3), rng.IntN(3), rng.IntN(4))
		switch rng.IntN(4) {
		case 0:
			if err := s.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			delete(want, name)
		case 1:
			data := bytes.Repeat([]byte{byte(i)}, rng.IntN(100))
			err := s.Put(t.Context(), name, data, true)
			if _, taken := want[name]; taken != errors.Is(err, blob.ErrExists) || !taken && err != nil {
				t.Fatalf("step %d: Put %s: %v, taken: %v", i, name, err, taken)
			} else if !taken {
				want[name] = data
			}
		case 2:
			got, err := s.GetRange(t.Context(), name, 0, -1, nil)
			if data, ok := want[name]; ok != (err == nil) || !bytes.Equal(got, data) {
				t.Fatalf("step %d: GetRange %s: %d bytes, %v, want %d, %v", i, name, len(got), err, len(data), ok)
			}
		case 3:
			if got := all(t, s, "", "", 1+rng.IntN(9)); len(got) != len(want) || !slices.IsSorted(got) {
				t.Fatalf("step %d: listed %v, want %d", i, got, len(want))
			}
		}
	}
}
