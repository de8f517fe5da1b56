package objseal

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

var sizes = []int{0, 1, 100, 16383, 16384, 16385, 65536, 262143, 262144, 262145, 524289, 1000003, 5 << 20}

// noise is random bytes, the same each time.
func noise(n int) []byte {
	out := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(out)
	return out
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, not %v", err, kind)
	}
}

func testKey(t *testing.T, value byte) *Key {
	t.Helper()
	key, err := NewKey(bytes.Repeat([]byte{value}, KeyLen))
	ok(t, err)
	return key
}

var context = map[string]string{"bucket": "photos", "name": "Köln/Dom.jpg"}

// written is what a Writer makes of plaintext, in pieces of this size.
func written(t *testing.T, options SealOptions, plaintext []byte, step int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, options)
	ok(t, err)
	for rest := plaintext; len(rest) > 0; {
		piece := rest
		if len(piece) > step {
			piece = piece[:step]
		}
		n, err := w.Write(piece)
		ok(t, err)
		if n != len(piece) {
			t.Fatalf("wrote %d of %d", n, len(piece))
		}
		rest = rest[n:]
	}
	ok(t, w.Close())
	refused(t, w.Close(), ErrClosed)
	if _, err := w.Write([]byte{1}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if w.Info().Length != int64(len(plaintext)) {
		t.Fatal(w.Info())
	}
	return out.Bytes()
}

// read is what a Reader makes of an object.
func read(inner io.Reader, options OpenOptions) ([]byte, error) {
	r, err := NewReader(inner, options)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestEverySize(t *testing.T) {
	key := testKey(t, 1)
	for layers := 1; layers <= 2; layers++ {
		seal := SealOptions{Key: key, Layers: layers, Context: context, Digests: SHA256 | MD5 | SHA512}
		open := OpenOptions{Key: key, Context: context, MinimumLayers: layers}
		for _, size := range sizes {
			plain := noise(size)
			atOnce, err := Seal(seal, plain)
			ok(t, err)
			for _, sealed := range [][]byte{atOnce, written(t, seal, plain, 70001), written(t, seal, plain, 8<<20), written(t, seal, plain, 1000)} {
				if len(sealed) != len(atOnce) {
					t.Fatal("another length")
				}
				opened, err := Open(open, sealed)
				ok(t, err)
				if !bytes.Equal(opened, plain) {
					t.Fatalf("%d bytes in %d layers", size, layers)
				}
				for _, inner := range []io.Reader{bytes.NewReader(sealed), iotest.HalfReader(bytes.NewReader(sealed)), iotest.DataErrReader(bytes.NewReader(sealed))} {
					opened, err = read(inner, open)
					ok(t, err)
					if !bytes.Equal(opened, plain) {
						t.Fatalf("%d bytes in %d layers", size, layers)
					}
				}
				r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), open)
				ok(t, err)
				if r.Size() != int64(size) {
					t.Fatal(r.Size())
				}
				opened, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
				ok(t, err)
				if !bytes.Equal(opened, plain) {
					t.Fatalf("%d bytes in %d layers", size, layers)
				}
				sum, old, long := sha256.Sum256(plain), md5.Sum(plain), sha512.Sum512(plain)
				if digests := r.Info().Digests; !bytes.Equal(digests[SHA256], sum[:]) || !bytes.Equal(digests[MD5], old[:]) ||
					!bytes.Equal(digests[SHA512], long[:]) || len(digests) != 3 {
					t.Fatal(digests)
				}
				ok(t, r.Close())
			}
		}
	}
	t.Logf("%d sizes on %s", len(sizes), BestEngine())
}

func TestReadersAreReaders(t *testing.T) {
	key := testKey(t, 1)
	plain := noise(20000)
	sealed, err := Seal(SealOptions{Key: key}, plain)
	ok(t, err)
	r, err := NewReader(bytes.NewReader(sealed), OpenOptions{Key: key})
	ok(t, err)
	ok(t, iotest.TestReader(r, plain))
	if r.Info().Length != 20000 || len(r.Info().Engines) != 1 {
		t.Fatal(r.Info())
	}
	at, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), OpenOptions{Key: key})
	ok(t, err)
	ok(t, iotest.TestReader(io.NewSectionReader(at, 0, at.Size()), plain))
	out := make([]byte, 10)
	for _, from := range []int64{19995, 20000, 30000} {
		n, err := at.ReadAt(out, from)
		if err != io.EOF || (n > 0 && !bytes.Equal(out[:n], plain[from:])) || (from < 20000) != (n == 5) {
			t.Fatal(n, err)
		}
	}
	_, err = at.ReadAt(out, -1)
	refused(t, err, ErrArgument)
	if n, err := at.ReadAt(nil, 5); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	ok(t, at.Close())
	_, err = at.ReadAt(out, 0)
	refused(t, err, ErrClosed)
	ok(t, at.Close())
}

func TestManyGoroutines(t *testing.T) {
	key := testKey(t, 1)
	plain := noise(1 << 20)
	sealed, err := Seal(SealOptions{Key: key}, plain)
	ok(t, err)
	r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), OpenOptions{Key: key, Threads: 2})
	ok(t, err)
	defer r.Close()
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		random := rand.New(rand.NewSource(int64(i)))
		group.Add(1)
		go func() {
			defer group.Done()
			for round := 0; round < 50; round++ {
				out := make([]byte, random.Intn(100000))
				from := random.Intn(len(plain) - len(out))
				if _, err := r.ReadAt(out, int64(from)); err != nil || !bytes.Equal(out, plain[from:from+len(out)]) {
					t.Errorf("%d bytes from %d: %v", len(out), from, err)
				}
				mine, err := Seal(SealOptions{Key: key}, out)
				if opened, again := Open(OpenOptions{Key: key}, mine); err != nil || again != nil || !bytes.Equal(opened, out) {
					t.Error(err, again)
				}
			}
		}()
	}
	group.Wait()
}

func TestSealingWhileAKeyRotates(t *testing.T) {
	keyring, err := CreateKeyring(filepath.Join(t.TempDir(), "keyring"), nil, "photos")
	ok(t, err)
	defer keyring.Close()
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := 0; round < 50; round++ {
				sealed, err := Seal(SealOptions{Keyring: keyring, KeyName: "photos", Layers: 2}, []byte("plain"))
				if err != nil {
					t.Error(err)
					return
				}
				if opened, err := Open(OpenOptions{Keyring: keyring}, sealed); err != nil || string(opened) != "plain" {
					t.Error(opened, err)
				}
			}
		}()
	}
	for round := 0; round < 20; round++ {
		_, err := keyring.Rotate("photos")
		ok(t, err)
	}
	group.Wait()
}

func TestWhatWasChangedIsRefused(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	plain := noise(600000)
	for layers := 1; layers <= 2; layers++ {
		sealed, err := Seal(SealOptions{Key: key, Layers: layers, Context: context}, plain)
		ok(t, err)
		open := OpenOptions{Key: key, Context: context}
		every := func(sealed []byte, open OpenOptions, kind error) {
			t.Helper()
			_, err := Open(open, sealed)
			refused(t, err, kind)
			beginning, err := read(bytes.NewReader(sealed), open)
			refused(t, err, kind)
			if !bytes.HasPrefix(plain, beginning) || len(beginning) == len(plain) {
				t.Fatal("not the authentic beginning")
			}
			r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), open)
			if err == nil {
				out := make([]byte, len(plain))
				_, err = r.ReadAt(out, 0)
				if !bytes.Equal(out, make([]byte, len(plain))) {
					t.Fatal("something was given out")
				}
				r.Close()
			}
			refused(t, err, kind)
		}
		for _, at := range []int{BodyOffset, BodyOffset + 60, 300000, len(sealed) - 30, len(sealed) - 1} {
			changed := append([]byte(nil), sealed...)
			changed[at] ^= 1
			every(changed, open, ErrAuthentication)
		}
		for _, n := range []int{BodyOffset, BodyOffset + 100, len(sealed) - 1} {
			every(sealed[:n], open, ErrAuthentication)
		}
		every(append(append([]byte(nil), sealed...), 0), open, ErrAuthentication)
		every(sealed[:100], open, ErrFormat)
		every(nil, open, ErrFormat)
		every(plain, open, ErrFormat)
		every(sealed, OpenOptions{Key: other, Context: context}, ErrAuthentication)
		if _, err = Open(OpenOptions{Key: other, Context: context}, sealed); !strings.Contains(err.Error(), "another key of that name") {
			t.Fatal(err)
		}
		every(sealed, OpenOptions{Key: key}, ErrPolicy)
		every(sealed, OpenOptions{Key: key, Context: context, MinimumGeneration: 2}, ErrPolicy)
		every(sealed, OpenOptions{Key: key, Context: context, ObjectID: &[32]byte{}}, ErrPolicy)
		every(sealed, OpenOptions{Context: context}, ErrKeyNotFound)
		if layers == 1 {
			every(sealed, OpenOptions{Key: key, Context: context, MinimumLayers: 2}, ErrPolicy)
		}
		_, err = Open(OpenOptions{Key: key, AnyContext: true}, sealed)
		ok(t, err)
	}
}

// limited fails after so many bytes.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, l.err
	}
	l.left -= len(p)
	return len(p), nil
}

type failing struct {
	io.ReaderAt
	err    error
	panics bool
}

func (f *failing) ReadAt(out []byte, offset int64) (int, error) {
	if f.panics {
		panic("no disk")
	}
	if f.err != nil {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(out, offset)
}

func TestErrorsOfTheOtherSideComeThrough(t *testing.T) {
	key := testKey(t, 1)
	full := errors.New("disk full")
	w, err := NewWriter(&limited{100000, full}, SealOptions{Key: key})
	ok(t, err)
	_, err = w.Write(make([]byte, 1<<20))
	refused(t, err, full)
	_, err = w.Write([]byte{1})
	refused(t, err, full)
	refused(t, w.Close(), full)
	w, err = NewWriter(&limited{100, full}, SealOptions{Key: key})
	ok(t, err)
	_, err = w.Write([]byte{1})
	ok(t, err)
	refused(t, w.Close(), full)

	// A pipe whose reader has gone.
	in, out := io.Pipe()
	in.Close()
	w, err = NewWriter(out, SealOptions{Key: key})
	ok(t, err)
	_, err = w.Write(make([]byte, 1<<20))
	refused(t, err, io.ErrClosedPipe)
	refused(t, w.Close(), io.ErrClosedPipe)

	sealed, err := Seal(SealOptions{Key: key}, noise(600000))
	ok(t, err)
	broken := errors.New("no network")
	beginning, err := read(io.MultiReader(bytes.NewReader(sealed[:400000]), iotest.ErrReader(broken)), OpenOptions{Key: key})
	refused(t, err, broken)
	if !bytes.HasPrefix(noise(600000), beginning) || len(beginning) < 300000 {
		t.Fatal("what came before is given out: ", len(beginning))
	}
	inner := &failing{ReaderAt: bytes.NewReader(sealed)}
	r, err := NewReaderAt(inner, int64(len(sealed)), OpenOptions{Key: key})
	ok(t, err)
	inner.err = broken
	buffer := bytes.Repeat([]byte{0xEE}, 1000)
	_, err = r.ReadAt(buffer, 0)
	refused(t, err, broken)
	if !bytes.Equal(buffer, make([]byte, 1000)) {
		t.Fatal("something was left")
	}
	inner.panics = true
	if _, err = r.ReadAt(buffer, 0); err == nil || !strings.Contains(err.Error(), "no disk") {
		t.Fatal(err)
	}
	inner.panics, inner.err = false, nil
	_, err = r.ReadAt(buffer, 0)
	ok(t, err)
	// A store that is shorter than it says.
	_, err = NewReaderAt(bytes.NewReader(sealed[:10000]), int64(len(sealed)), OpenOptions{Key: key})
	refused(t, err, io.ErrUnexpectedEOF)
	_, err = NewReaderAt(bytes.NewReader(sealed), -1, OpenOptions{Key: key})
	refused(t, err, ErrArgument)
}

// sink is a writer that says what it is told to at its call number at, from 0, after it took all or nothing.
type sink struct {
	bytes.Buffer
	calls, at int
	answer    func(p []byte) (int, error)
}

func (s *sink) Write(p []byte) (int, error) {
	s.calls++
	if s.calls-1 == s.at {
		return s.answer(p)
	}
	return s.Buffer.Write(p)
}

// broken is what a Writer wrote to a sink that fails; every call says so, the last ones without writing.
func broken(t *testing.T, key *Key, s *sink, plain []byte, kind error) {
	t.Helper()
	w, err := NewWriter(s, SealOptions{Key: key})
	ok(t, err)
	n, err := w.Write(plain)
	if n < 0 || n > len(plain) || (err == nil) != (n == len(plain)) {
		t.Fatal(n, err)
	}
	if err == nil {
		err = w.Close()
	}
	refused(t, err, kind)
	for i := 0; i < 2; i++ {
		n, again := w.Write([]byte("more"))
		if closed := w.Close(); n != 0 || again != err || closed != err {
			t.Fatal(again, closed)
		}
	}
	if s.calls != s.at+1 {
		t.Fatalf("%d calls, and the one that failed was %d", s.calls, s.at)
	}
	if _, err = Open(OpenOptions{Key: key}, s.Bytes()); err == nil {
		t.Fatal("it opens")
	}
}

func TestSinksThatFail(t *testing.T) {
	key, plain := testKey(t, 1), noise(3<<20)
	full := errors.New("disk full")
	good := &sink{at: -1}
	w, err := NewWriter(good, SealOptions{Key: key})
	ok(t, err)
	_, err = w.Write(plain)
	ok(t, err)
	ok(t, w.Close())
	if good.calls < 3 {
		t.Fatal(good.calls)
	}
	for name, way := range map[string]struct {
		kind   error
		answer func(s *sink, p []byte) (int, error)
	}{
		"all but one":     {io.ErrShortWrite, func(s *sink, p []byte) (int, error) { return s.Buffer.Write(p[:len(p)-1]) }},
		"nothing":         {io.ErrShortWrite, func(*sink, []byte) (int, error) { return 0, nil }},
		"more":            {errInvalidWrite, func(s *sink, p []byte) (int, error) { return len(p) + 1, nil }},
		"less than none":  {errInvalidWrite, func(*sink, []byte) (int, error) { return -1, nil }},
		"more, and fails": {errInvalidWrite, func(s *sink, p []byte) (int, error) { return len(p) + 1, full }},
		"none, and fails": {full, func(*sink, []byte) (int, error) { return 0, full }},
		"half, and fails": {full, func(s *sink, p []byte) (int, error) {
			n, _ := s.Buffer.Write(p[:len(p)/2])
			return n, full
		}},
	} {
		for at := 0; at < good.calls; at++ {
			s := &sink{at: at}
			s.answer = func(p []byte) (int, error) { return way.answer(s, p) }
			t.Run(fmt.Sprintf("%s at call %d", name, at), func(t *testing.T) { broken(t, key, s, plain, way.kind) })
		}
	}
}

func TestEmptyWritesStayHere(t *testing.T) {
	// A pipe waits for a reader, for nothing as well.
	s := &sink{at: -1}
	w, err := NewWriter(nonEmpty{t, s}, SealOptions{Key: testKey(t, 1)})
	ok(t, err)
	for _, n := range []int{0, batch + 100, 50} {
		_, err = w.Write(noise(n))
		ok(t, err)
	}
	ok(t, w.Close())
}

// nonEmpty is a writer that is given something every time.
type nonEmpty struct {
	t *testing.T
	io.Writer
}

func (w nonEmpty) Write(p []byte) (int, error) {
	if len(p) == 0 {
		w.t.Error("an empty write")
	}
	return w.Writer.Write(p)
}

// panicking does something and says what it panicked with.
func panicking(act func()) (cause any) {
	defer func() { cause = recover() }()
	act()
	return nil
}

func TestWritersWithoutAnEnd(t *testing.T) {
	key, plain := testKey(t, 1), noise(1<<20)
	never := func(out []byte, why string) {
		t.Helper()
		if _, err := Open(OpenOptions{Key: key}, out); err == nil {
			t.Fatal("it opens: " + why)
		}
	}
	// Dropped.
	var out bytes.Buffer
	done := make(chan bool)
	func() {
		w, err := NewWriter(&out, SealOptions{Key: key})
		ok(t, err)
		_, err = w.Write(plain)
		ok(t, err)
		runtime.SetFinalizer(w, nil)
		runtime.SetFinalizer(w, func(w *Writer) { w.free(); close(done) })
	}()
	for dropped := false; !dropped; {
		runtime.GC()
		select {
		case <-done:
			dropped = true
		default:
			runtime.Gosched()
		}
	}
	never(out.Bytes(), "dropped")

	// Aborted, as by a defer, with what the source said coming out.
	out.Reset()
	w, err := NewWriter(&out, SealOptions{Key: key})
	ok(t, err)
	lost := errors.New("no network")
	copied := func() error {
		defer w.Abort()
		if _, err := io.Copy(w, io.MultiReader(bytes.NewReader(plain), iotest.ErrReader(lost))); err != nil {
			return err
		}
		return w.Close()
	}
	refused(t, copied(), lost)
	refused(t, w.Close(), ErrAborted)
	_, err = w.Write(plain)
	refused(t, err, ErrAborted)
	never(out.Bytes(), "aborted")
	// After Close it is whole, and stays that.
	out.Reset()
	w, err = NewWriter(&out, SealOptions{Key: key})
	ok(t, err)
	_, err = w.Write(plain)
	ok(t, err)
	ok(t, w.Close())
	w.Abort()
	refused(t, w.Close(), ErrClosed)
	opened, err := Open(OpenOptions{Key: key}, out.Bytes())
	ok(t, err)
	if !bytes.Equal(opened, plain) {
		t.Fatal("another plaintext")
	}

	// The inner writer takes all, and panics; Close comes by a defer.
	for at := 0; at < 3; at++ {
		s := &sink{at: at}
		s.answer = func(p []byte) (int, error) {
			s.Buffer.Write(p)
			panic("no disk")
		}
		w, err = NewWriter(s, SealOptions{Key: key})
		ok(t, err)
		_, err = w.Write(make([]byte, batch-1))
		ok(t, err)
		cause := panicking(func() {
			defer w.Close()
			for i := 0; i < 4; i++ {
				if _, err := w.Write(plain[:batch-1]); err != nil {
					t.Error(err)
				}
			}
		})
		if cause != "no disk" || s.calls != at+1 {
			t.Fatal(cause, s.calls)
		}
		refused(t, w.Close(), ErrAborted)
		never(s.Bytes(), "panicked")
	}
}

// told is a reader that says one thing after the other.
type told struct {
	answers []func(p []byte) (int, error)
	calls   int
}

func (r *told) Read(p []byte) (int, error) {
	r.calls++
	answer := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	return answer(p)
}

func TestSourcesThatFail(t *testing.T) {
	key, plain := testKey(t, 1), noise(1<<20)
	sealed, err := Seal(SealOptions{Key: key}, plain)
	ok(t, err)
	open := OpenOptions{Key: key}
	all := func(err error) func(p []byte) (int, error) {
		rest := sealed
		return func(p []byte) (int, error) {
			n := copy(p, rest)
			if rest = rest[n:]; len(rest) == 0 {
				return n, err
			}
			return n, nil
		}
	}
	say := func(n int, err error) func([]byte) (int, error) {
		return func([]byte) (int, error) { return n, err }
	}
	too := func(more int) func(p []byte) (int, error) {
		return func(p []byte) (int, error) { return len(p) + more, nil }
	}
	some := func(n int) func(p []byte) (int, error) {
		return func(p []byte) (int, error) { return copy(p[:n], sealed), nil }
	}
	lost := errors.New("no network")
	for name, way := range map[string]struct {
		kind    error
		answers []func(p []byte) (int, error)
	}{
		"nothing for ever":       {io.ErrNoProgress, []func(p []byte) (int, error){say(0, nil)}},
		"nothing after some":     {io.ErrNoProgress, []func(p []byte) (int, error){some(1000), say(0, nil)}},
		"more than there is":     {errInvalidRead, []func(p []byte) (int, error){too(1)}},
		"more after some":        {errInvalidRead, []func(p []byte) (int, error){some(1000), too(1)}},
		"less than nothing":      {errInvalidRead, []func(p []byte) (int, error){say(-1, nil)}},
		"less after some":        {errInvalidRead, []func(p []byte) (int, error){some(1000), say(-1, nil)}},
		"less, and the end":      {errInvalidRead, []func(p []byte) (int, error){say(-1, io.EOF)}},
		"cut":                    {io.ErrUnexpectedEOF, []func(p []byte) (int, error){some(20000), say(0, io.ErrUnexpectedEOF)}},
		"fails with the last":    {lost, []func(p []byte) (int, error){all(lost)}},
		"an end that is wrapped": {io.EOF, []func(p []byte) (int, error){some(20000), say(0, fmt.Errorf("closed: %w", io.EOF))}},
	} {
		inner := &told{answers: way.answers}
		opened, err := read(inner, open)
		if !errors.Is(err, way.kind) || errors.Is(err, ErrAuthentication) {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(plain, opened) || inner.calls > 200 {
			t.Fatal(name, len(opened), inner.calls)
		}
	}
	// The last bytes and the end at once, and pauses on the way.
	for _, answers := range [][]func(p []byte) (int, error){{all(io.EOF), nil}, {say(0, nil), say(0, nil), all(io.EOF), nil}} {
		opened, err := read(&told{answers: append(answers[:len(answers)-1:len(answers)-1], answers[len(answers)-2])}, open)
		ok(t, err)
		if !bytes.Equal(opened, plain) {
			t.Fatal("another plaintext")
		}
	}
	// What it had read is lost with the panic, so nothing comes after.
	r, err := NewReader(&told{answers: []func(p []byte) (int, error){some(1000), func([]byte) (int, error) { panic("no disk") }, all(io.EOF)}}, open)
	ok(t, err)
	if cause := panicking(func() { r.Read(make([]byte, 10)) }); cause != "no disk" {
		t.Fatal(cause)
	}
	_, err = r.Read(make([]byte, 10))
	refused(t, err, ErrAborted)

	for _, n := range []int{-1, 1 << 40} {
		_, err = NewReaderAt(readerAt(func([]byte, int64) (int, error) { return n, nil }), int64(len(sealed)), open)
		refused(t, err, errInvalidRead)
	}
}

type readerAt func(out []byte, offset int64) (int, error)

func (r readerAt) ReadAt(out []byte, offset int64) (int, error) { return r(out, offset) }

func TestFilesOfKeyrings(t *testing.T) {
	folder := t.TempDir()
	missing, path := filepath.Join(folder, "nowhere", "keyring"), filepath.Join(folder, strings.Repeat("long", 60))
	var at *fs.PathError
	// about says whether an error is of the operating system, about this file.
	about := func(err error, op, path string, kind error) {
		t.Helper()
		refused(t, err, ErrIO)
		refused(t, err, kind)
		if !errors.As(err, &at) || at.Op != op || at.Path != path || !strings.Contains(err.Error(), path+": ") {
			t.Fatalf("%v: %#v", err, at)
		}
	}
	_, err := OpenKeyring(path, nil)
	about(err, "open", path, fs.ErrNotExist)
	_, err = CreateKeyring(missing, nil, "photos")
	about(err, "create", missing, fs.ErrNotExist)
	if _, err = os.Stat(filepath.Dir(missing)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("it makes no folder: ", err)
	}
	keyring, err := CreateKeyring(path, nil, "photos")
	ok(t, err)
	_, err = CreateKeyring(path, nil, "photos")
	about(err, "create", path, fs.ErrExist)
	if !KeyringAt(path) || !KeyringAt(path+".lock") || KeyringAt(missing) || KeyringAt(folder) || KeyringAt(path+"\x00") {
		t.Fatal("a keyring and its lock, and nothing else")
	}
	if err = keyring.Add("photos"); !errors.Is(err, ErrKeyring) || errors.As(err, &at) || !strings.Contains(err.Error(), path) {
		t.Fatal(err)
	}
	ok(t, os.Remove(path))
	about(keyring.Reload(), "open", path, fs.ErrNotExist)
	_, err = keyring.Rotate("photos")
	about(err, "change", path, fs.ErrNotExist)

	// Only nil is no passphrase.
	protected := filepath.Join(folder, "protected")
	for _, passphrase := range []string{"", "\x00", "correct\x00horse"} {
		_, err = CreateKeyring(protected, []byte(passphrase), "photos")
		refused(t, err, ErrArgument)
		_, err = OpenKeyring(protected, []byte(passphrase))
		refused(t, err, ErrArgument)
	}
	if _, err = os.Stat(protected); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// C ends a text at a zero.
	for _, path := range []string{protected + "\x00", "\x00"} {
		_, err = CreateKeyring(path, nil, "photos")
		refused(t, err, ErrArgument)
		_, err = OpenKeyring(path, nil)
		refused(t, err, ErrArgument)
	}
	_, err = CreateKeyring(protected, nil, "photos\x00")
	refused(t, err, ErrArgument)
	keyring, err = CreateKeyring(protected, []byte("a\u0308"), "photos")
	ok(t, err)
	refused(t, keyring.Add("films\x00"), ErrArgument)
	_, err = keyring.Rotate("photos\x00")
	refused(t, err, ErrArgument)
	if fmt.Sprint(keyring.Keys()) != "map[photos:1]" {
		t.Fatal(keyring.Keys())
	}
	_, err = OpenKeyring(protected, []byte("\u00e4"))
	ok(t, err)
}

func TestKeyringsThatAreBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	keyring, err := CreateKeyring(path, nil, "photos")
	ok(t, err)
	behind, err := OpenKeyring(path, nil)
	ok(t, err)
	_, err = keyring.Rotate("photos")
	ok(t, err)
	sealed, err := Seal(SealOptions{Keyring: keyring, KeyName: "photos"}, []byte("plain"))
	ok(t, err)
	open := OpenOptions{Keyring: behind}
	_, atOnce := Open(open, sealed)
	_, streamed := read(bytes.NewReader(sealed), open)
	_, ranged := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), open)
	for _, err := range []error{atOnce, streamed, ranged} {
		refused(t, err, ErrKeyNotFound)
		for _, words := range []string{`version 2 of "photos" of "keyring"`, "up to version 1", "Keyring.Reload reads its file again"} {
			if !strings.Contains(err.Error(), words) {
				t.Fatal(err)
			}
		}
	}
	ok(t, behind.Reload())
	_, err = Open(open, sealed)
	ok(t, err)
	other, err := CreateKeyring(path+"-other", nil, "photos")
	ok(t, err)
	_, err = other.Rotate("photos")
	ok(t, err)
	_, err = Open(OpenOptions{Keyring: other}, sealed)
	refused(t, err, ErrAuthentication)
	if !strings.Contains(err.Error(), `another key of that name: version 2 of "photos"`) {
		t.Fatal(err)
	}
}

func TestArgumentsThatMakeNoSense(t *testing.T) {
	key := testKey(t, 1)
	for _, n := range []int{0, 16, 31, 33} {
		_, err := NewKey(make([]byte, n))
		refused(t, err, ErrArgument)
	}
	for _, options := range []SealOptions{
		{}, {Key: key, Layers: 3}, {Key: key, Layers: -1}, {Key: key, Context: map[string]string{"a\x00b": ""}},
		{Key: key, Context: map[string]string{"": "x"}}, {Key: key, Threads: -1}, {Key: key, Threads: 1001}, {Key: key, Digests: 1024},
		{Key: key, Context: context, BoundContext: map[string]string{"name": "x"}}, {Key: key, BoundContext: map[string]string{"": "x"}},
		{Key: key, Fields: map[uint16][]byte{0xBFFF: nil}}, {Key: key, Fields: map[uint16][]byte{0xC000: make([]byte, 2305)}},

		{Key: key, Context: map[string]string{"a": "\xff"}},
	} {
		_, err := Seal(options, []byte("x"))
		refused(t, err, ErrArgument)
	}
	_, err := Seal(SealOptions{Key: key, Engine: "none"}, nil)
	refused(t, err, ErrEngine)
	if text := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(text, "1 1") || strings.Count(text, "hidden") != 4 {
		t.Fatal(text)
	}
	if !bytes.Equal(key.Bytes(), bytes.Repeat([]byte{1}, KeyLen)) {
		t.Fatal("another key")
	}
	ok(t, key.Close())
	ok(t, key.Close())
	_, err = Seal(SealOptions{Key: key}, nil)
	refused(t, err, ErrClosed)
	_, err = Open(OpenOptions{Key: key}, nil)
	refused(t, err, ErrClosed)
	if key.Bytes() != nil {
		t.Fatal("a closed key has no bytes")
	}
}

func TestKeyrings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	_, err := OpenKeyring(path, nil)
	refused(t, err, ErrIO)
	keyring, err := CreateKeyring(path, nil, "photos")
	ok(t, err)
	_, err = CreateKeyring(path, nil, "photos")
	refused(t, err, ErrIO)
	ok(t, keyring.Add("outer"))
	refused(t, keyring.Add("outer"), ErrKeyring)
	seal := SealOptions{Keyring: keyring, KeyName: "photos", Layers: 2, OuterKeyName: "outer", Engine: "soft"}
	old, err := Seal(seal, []byte("plain"))
	ok(t, err)
	version, err := keyring.Rotate("photos")
	ok(t, err)
	if version != 2 || keyring.Keys()["photos"] != 2 || keyring.Keys()["outer"] != 1 || len(keyring.Keys()) != 2 {
		t.Fatal(keyring.Keys())
	}
	_, err = keyring.Rotate("none")
	refused(t, err, ErrKeyNotFound)
	sealed, err := Seal(seal, []byte("plain"))
	ok(t, err)
	again, err := OpenKeyring(path, nil)
	ok(t, err)
	for _, object := range [][]byte{old, sealed} {
		opened, err := Open(OpenOptions{Keyring: again, KeyNames: []string{"photos", "outer"}}, object)
		ok(t, err)
		if string(opened) != "plain" {
			t.Fatal(opened)
		}
	}
	_, err = Open(OpenOptions{Keyring: again, KeyNames: []string{"photos"}}, sealed)
	refused(t, err, ErrKeyNotFound)
	info, err := Inspect(bytes.NewReader(sealed), int64(len(sealed)))
	ok(t, err)
	if info.Length != 5 || info.Layers != 2 || info.Generation != 1 || !info.SlotsSame || len(info.Engines) != 0 ||
		info.Keys[0] != (WrappedKey{1, "keyring", "photos", 2, KeyLocal}) || info.Keys[1] != (WrappedKey{2, "keyring", "outer", 1, KeyLocal}) {
		t.Fatal(info)
	}
	_, err = Inspect(bytes.NewReader(nil), 0)
	refused(t, err, ErrFormat)
	_, err = Seal(SealOptions{Keyring: keyring, KeyName: "none"}, nil)
	refused(t, err, ErrKeyNotFound)
	ok(t, keyring.Close())
	refused(t, keyring.Add("x"), ErrClosed)
	_, err = Seal(seal, nil)
	refused(t, err, ErrClosed)

	protected := filepath.Join(t.TempDir(), "protected")
	keyring, err = CreateKeyring(protected, []byte("correct horse"), "photos")
	ok(t, err)
	ok(t, keyring.Close())
	_, err = OpenKeyring(protected, nil)
	refused(t, err, ErrKeyring)
	if _, err = OpenKeyring(path, []byte("correct horse")); !errors.Is(err, ErrKeyring) || !strings.Contains(err.Error(), "not protected") {
		t.Fatal(err)
	}
	_, err = OpenKeyring(protected, []byte("wrong"))
	refused(t, err, ErrKeyring)
	keyring, err = OpenKeyring(protected, []byte("correct horse"))
	ok(t, err)
	ok(t, keyring.Reload())
}

func TestDigests(t *testing.T) {
	key := testKey(t, 1)
	sealed, err := Seal(SealOptions{Key: key, Digests: XXHASH128<<1 - 1}, []byte("123456789"))
	ok(t, err)
	r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), OpenOptions{Key: key})
	ok(t, err)
	defer r.Close()
	// By xxHash itself, and the catalogue of CRCs.
	for digest, expected := range map[Digest]string{
		CRC64NVME: "ae8b14860a799888", CRC32C: "e3069283", CRC32: "cbf43926",
		XXHASH64: "8cb841db40e6ae83", XXHASH3: "72dcb18b67a17dff", XXHASH128: "33119477ede5dcd5e9716427681d5860",
	} {
		if found := fmt.Sprintf("%x", r.Info().Digests[digest]); found != expected {
			t.Fatal(digest, found)
		}
	}
	if len(r.Info().Digests) != 10 {
		t.Fatal(r.Info().Digests)
	}
}

func TestBoundContextAndFields(t *testing.T) {
	key := testKey(t, 1)
	bound, stored := map[string]string{"name": "cat.jpg"}, map[string]string{"colour": "green"}
	both := map[string]string{"name": "cat.jpg", "colour": "green"}
	seal := SealOptions{Key: key, Context: stored, BoundContext: bound, Fields: map[uint16][]byte{0xC000: []byte("tier 2"), 0xFFFF: {}}}
	sealed, err := Seal(seal, []byte("plain"))
	ok(t, err)
	if bytes.Contains(sealed, []byte("cat.jpg")) || !bytes.Contains(sealed, []byte("green")) {
		t.Fatal("a bound value is stored, or a stored one is not")
	}
	same := func(info Info, context map[string]string) {
		t.Helper()
		runtime.GC()
		if fmt.Sprint(info.Context) != fmt.Sprint(context) || fmt.Sprint(info.BoundKeys) != "[name]" ||
			string(info.Field(0xC000)) != "tier 2" || info.Field(0xFFFF) == nil || info.Field(0xC001) != nil || info.Field(1) != nil {
			t.Fatal(info)
		}
	}
	info, err := Inspect(bytes.NewReader(sealed), int64(len(sealed)))
	ok(t, err)
	same(info, stored)
	for _, demanded := range []OpenOptions{{Key: key, Context: both}, {Key: key, Context: bound, AnyStoredContext: true}} {
		opened, err := Open(demanded, sealed)
		ok(t, err)
		if string(opened) != "plain" {
			t.Fatal(opened)
		}
		r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), demanded)
		ok(t, err)
		ok(t, r.Close())
		same(r.Info(), both)
	}
	if (Info{}).Field(0xC000) != nil {
		t.Fatal("a field of nothing")
	}
	for _, demanded := range []OpenOptions{
		{Key: key, Context: bound}, {Key: key, Context: stored}, {Key: key, Context: both, AnyStoredContext: true},
		{Key: key, AnyStoredContext: true}, {Key: key, AnyContext: true},
	} {
		_, err = Open(demanded, sealed)
		refused(t, err, ErrPolicy)
	}
	_, err = Open(OpenOptions{Key: key, Context: map[string]string{"name": "dog.jpg"}, AnyStoredContext: true}, sealed)
	refused(t, err, ErrAuthentication)
}

func TestGoldenFiles(t *testing.T) {
	golden := filepath.Join("..", "..", "..", "vectors", "golden")
	stored, err := os.ReadFile(filepath.Join(golden, "keyring"))
	ok(t, err)
	path := filepath.Join(t.TempDir(), "keyring")
	ok(t, os.WriteFile(path, stored, 0o600))
	keyring, err := OpenKeyring(path, nil)
	ok(t, err)
	single, err := os.ReadFile(filepath.Join(golden, "single-key"))
	ok(t, err)
	key, err := NewKey(single)
	ok(t, err)
	manifest, err := os.ReadFile(filepath.Join(golden, "manifest.tsv"))
	ok(t, err)
	count := 0
	for _, line := range strings.Split(strings.TrimSpace(string(manifest)), "\n")[1:] {
		fields := strings.Split(line, "\t")
		length, err := strconv.Atoi(fields[1])
		ok(t, err)
		open := OpenOptions{Key: key, Keyring: keyring, Context: map[string]string{}}
		for _, pair := range strings.Split(fields[2], ";") {
			if name, value, is := strings.Cut(pair, "="); is {
				open.Context[name] = value
			}
		}
		sealed, err := os.ReadFile(filepath.Join(golden, fields[0]))
		ok(t, err)
		opened, err := Open(open, sealed)
		ok(t, err)
		plain := make([]byte, length)
		for i := range plain {
			plain[i] = byte(i % 251)
		}
		streamed, err := read(bytes.NewReader(sealed), open)
		ok(t, err)
		r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), open)
		ok(t, err)
		if !bytes.Equal(opened, plain) || !bytes.Equal(streamed, plain) || r.Size() != int64(length) {
			t.Fatal(fields[0])
		}
		if same := fields[6] == "same"; r.Info().SlotsSame != same || strconv.FormatUint(r.Info().Generation, 10) != fields[5] {
			t.Fatal(fields[0], r.Info())
		}
		ok(t, r.Close())
		count++
	}
	if count < 15 {
		t.Fatal(count)
	}
	t.Logf("%d golden files on %s", count, BestEngine())
}

func TestOffsets(t *testing.T) {
	// 5 GiB, the largest object that one request to S3 can write.
	for layers, plain := range map[int]int64{1: 5363471288, 2: 5358238576} {
		sealed, err := BodySealedLen(layers, plain)
		ok(t, err)
		if sealed > 5<<30 {
			t.Fatal(sealed)
		}
		back, err := BodyPlaintextLen(layers, sealed)
		ok(t, err)
		if back != plain {
			t.Fatal(back)
		}
	}
	// Three chunks: two whole ones and the rest.
	sealed := int64(56 + 2*16400 + 100 + 16)
	first, behind, err := BodySealedRange(1, 16383, 16385, sealed)
	ok(t, err)
	if first != 56 || behind != 56+2*16400 {
		t.Fatal(first, behind)
	}
	_, _, err = BodySealedRange(1, 0, 1<<40, sealed)
	refused(t, err, ErrOutOfRange)
	_, err = BodySealedLen(3, 1)
	refused(t, err, ErrArgument)
	_, err = BodySealedLen(1, -1)
	refused(t, err, ErrTooLong)
}
