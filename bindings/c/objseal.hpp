// objseal for C++17: objseal.h with owners, exceptions and containers. Header only; the contract is that of objseal.h.
//
// An object of a class here owns a handle: it can be moved, not copied, and frees the handle. `get()` gives it for what only
// objseal.h has. What does not work throws `objseal::error`, whose `status()` says what kind it is.

#ifndef OBJSEAL_HPP
#define OBJSEAL_HPP

#include "objseal.h"

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace objseal {

using bytes = std::vector<std::uint8_t>;

// Pairs of texts: of a context, or what names an upload.
using pairs = std::vector<std::pair<std::string, std::string>>;

// Bytes that belong to somebody else: of a vector, a string, an array, or at a pointer.
class view {
  public:
    view() = default;
    view(const void *start, std::size_t len) : start_(static_cast<const std::uint8_t *>(start)), len_(len) {}
    view(const bytes &from) : view(from.data(), from.size()) {}
    view(std::string_view from) : view(from.data(), from.size()) {}
    view(const std::string &from) : view(from.data(), from.size()) {}
    view(const char *from) : view(std::string_view(from)) {}
    template <std::size_t N> view(const std::array<std::uint8_t, N> &from) : view(from.data(), N) {}

    const std::uint8_t *data() const { return start_; }
    std::size_t size() const { return len_; }

  private:
    const std::uint8_t *start_ = nullptr;
    std::size_t len_ = 0;
};

// What did not work, in words.
class error : public std::runtime_error {
  public:
    error(objseal_status status, const std::string &text, int system_errno = 0)
        : std::runtime_error(text), status_(status), system_errno_(system_errno) {}

    // What kind it is, such as OBJSEAL_STATUS_AUTHENTICATION.
    objseal_status status() const { return status_; }
    // The error number of the operating system, such as ENOENT for a keyring that is not there; 0 where it was not that.
    int system_errno() const { return system_errno_; }

  private:
    objseal_status status_;
    int system_errno_;
};

namespace detail {

// Throws unless it worked. `handle` knows more than the status.
inline void check(objseal_status status, const void *handle = nullptr) {
    if (status == OBJSEAL_STATUS_OK) return;
    std::vector<char> text(objseal_last_error(handle, nullptr, 0) + 1);
    objseal_last_error(handle, text.data(), text.size());
    throw error(status, text[0] != 0 ? text.data() : objseal_status_text(static_cast<std::int32_t>(status)), objseal_last_errno(handle));
}

// A text for C, which ends it at a zero: with one in it, it would be another text.
inline const char *text(const std::string &from) {
    if (from.find('\0') != std::string::npos) throw error(OBJSEAL_STATUS_ARGUMENT, "a text has a zero in it");
    return from.c_str();
}
inline const char *text(const std::optional<std::string> &from) { return from ? text(*from) : nullptr; }

// Owns a handle.
template <typename Handle, void (*Free)(Handle *)> class owner {
  public:
    explicit owner(Handle *handle) : handle_(handle) {}

    Handle *get() const { return handle_.get(); }

  protected:
    void check(objseal_status status) const { detail::check(status, get()); }

    // Calls `act` with room for as many bytes as it says it needs.
    template <typename Act> bytes filled(std::size_t guess, Act act) const {
        bytes out(guess);
        std::size_t len = 0;
        objseal_status status = act(out.data(), out.size(), &len);
        if (status == OBJSEAL_STATUS_OUTPUT_TOO_SMALL) {
            out.resize(len);
            status = act(out.data(), out.size(), &len);
        }
        check(status);
        out.resize(len);
        return out;
    }

  private:
    struct deleter {
        void operator()(Handle *handle) const { Free(handle); }
    };
    std::unique_ptr<Handle, deleter> handle_;
};

// The handle that `make` stores.
template <typename Handle, typename Make> Handle *made(Make make, const void *from = nullptr) {
    Handle *handle = nullptr;
    check(make(&handle), from);
    return handle;
}

} // namespace detail

// The version of the library.
inline std::string version() { return objseal_version(); }

// A root key: 32 random bytes, which are wiped at its end. Many threads can use it.
class key : public detail::owner<objseal_key, objseal_key_free> {
  public:
    using owner::owner;

    // A new one.
    static key generate() { return key(detail::made<objseal_key>(objseal_key_generate)); }

    // One of these 32 bytes.
    explicit key(view from)
        : owner(detail::made<objseal_key>([&](objseal_key **out) { return objseal_key_new(from.data(), from.size(), out); })) {}

    // Its bytes, to be kept somewhere safe.
    std::array<std::uint8_t, OBJSEAL_KEY_LEN> expose() const {
        std::array<std::uint8_t, OBJSEAL_KEY_LEN> out{};
        check(objseal_key_expose(get(), out.data()));
        return out;
    }
};

// Root keys in a file, by name, each with its versions.
class keyring : public detail::owner<objseal_keyring, objseal_keyring_free> {
  public:
    // Reads the file at `path`.
    static keyring open(const std::string &path, const std::optional<std::string> &passphrase = {}) {
        keyring made;
        made.check(objseal_keyring_open(made.get(), detail::text(path), detail::text(passphrase)));
        return made;
    }

    // Makes the file at `path`, in a folder that is there, with a key called `name`. An empty passphrase is refused.
    static keyring create(const std::string &path, const std::string &name, const std::optional<std::string> &passphrase = {}) {
        keyring made;
        const char *secret = detail::text(passphrase);
        made.check(objseal_keyring_create(made.get(), detail::text(path), secret, detail::text(name)));
        return made;
    }

    // Whether a keyring is at `path`, or the lock of one: nothing else is to be written there.
    static bool is_at(const std::string &path) { return objseal_keyring_is_at(detail::text(path)); }

    void add(const std::string &name) { check(objseal_keyring_add(get(), detail::text(name))); }
    void reload() { check(objseal_keyring_reload(get())); }

    // Makes the next version of a key and returns its number.
    std::uint32_t rotate(const std::string &name) {
        std::uint32_t version = 0;
        check(objseal_keyring_rotate(get(), detail::text(name), &version));
        return version;
    }

    // Names and latest versions of all keys.
    std::vector<std::pair<std::string, std::uint32_t>> keys() const {
        std::vector<std::pair<std::string, std::uint32_t>> all;
        const char *name = nullptr;
        std::uint32_t version = 0;
        while (objseal_keyring_key(get(), all.size(), &name, &version) == OBJSEAL_STATUS_OK) all.emplace_back(name, version);
        return all;
    }

  private:
    keyring() : owner(detail::made<objseal_keyring>(objseal_keyring_new)) {}
};

// How objects are sealed. Once they are set up, many threads can use them.
class seal_options : public detail::owner<objseal_seal_options, objseal_seal_options_free> {
  public:
    seal_options() : owner(detail::made<objseal_seal_options>(objseal_seal_options_new)) {}

    // Any of the keys of a layer opens it; layer 1 is the innermost. Of a key in a keyring it takes the latest version.
    seal_options &add_key(const key &with, std::uint8_t layer = 1) {
        return check(objseal_seal_options_add_key(get(), layer, with.get())), *this;
    }
    seal_options &add_key(const keyring &with, const std::string &name, std::uint8_t layer = 1) {
        return check(objseal_seal_options_add_keyring_key(get(), layer, with.get(), detail::text(name))), *this;
    }
    seal_options &add_context(const std::string &name, const std::string &value) {
        return check(objseal_seal_options_add_context(get(), detail::text(name), detail::text(value))), *this;
    }
    // The same of a pair of which only the name is stored.
    seal_options &bind_context(const std::string &name, const std::string &value) {
        return check(objseal_seal_options_bind_context(get(), detail::text(name), detail::text(value))), *this;
    }
    // A private field of the head, from 0xC000 on.
    seal_options &set_field(std::uint16_t tag, view value) {
        return check(objseal_seal_options_set_field(get(), tag, value.data(), value.size())), *this;
    }
    seal_options &set_engine(std::uint8_t layer, const std::string &name) {
        return check(objseal_seal_options_set_engine(get(), layer, detail::text(name))), *this;
    }
    seal_options &set_check() { return check(objseal_seal_options_set_check(get())), *this; }
    seal_options &set_digests(std::uint32_t digests) { return check(objseal_seal_options_set_digests(get(), digests)), *this; }
    seal_options &set_upload_key(const key &with) { return check(objseal_seal_options_set_upload_key(get(), with.get())), *this; }
    seal_options &set_upload_key(const keyring &with, const std::string &name) {
        return check(objseal_seal_options_set_upload_keyring_key(get(), with.get(), detail::text(name))), *this;
    }

    // Seals an object into one file, on `threads` threads (0: as many as there are CPUs).
    bytes seal(view plaintext, std::uint32_t threads = 1) const {
        std::uint64_t needed = 0;
        check(objseal_sealed_len(get(), plaintext.size(), &needed));
        return filled(static_cast<std::size_t>(needed), [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_seal(get(), plaintext.data(), plaintext.size(), out, room, len, threads);
        });
    }
};

// What is opened, and what is demanded of it. Once they are set up, many threads can use them.
class open_options : public detail::owner<objseal_open_options, objseal_open_options_free> {
  public:
    open_options() : owner(detail::made<objseal_open_options>(objseal_open_options_new)) {}

    open_options &add_key(const key &with) { return check(objseal_open_options_add_key(get(), with.get())), *this; }
    open_options &add_keyring(const keyring &with) { return check(objseal_open_options_add_keyring(get(), with.get())), *this; }
    open_options &add_context(const std::string &name, const std::string &value) {
        return check(objseal_open_options_add_context(get(), detail::text(name), detail::text(value))), *this;
    }
    // Whatever else is stored; the pairs that are only bound have to be those that were added.
    open_options &any_stored_context() { return check(objseal_open_options_any_stored_context(get())), *this; }
    open_options &any_context() { return check(objseal_open_options_any_context(get())), *this; }
    open_options &set_minimum_layers(std::uint8_t layers) {
        return check(objseal_open_options_set_minimum_layers(get(), layers)), *this;
    }
    open_options &set_minimum_generation(std::uint64_t generation) {
        return check(objseal_open_options_set_minimum_generation(get(), generation)), *this;
    }
    open_options &set_object_id(const std::array<std::uint8_t, OBJSEAL_OBJECT_ID_LEN> &id) {
        return check(objseal_open_options_set_object_id(get(), id.data())), *this;
    }
    // Layer 0 stands for every layer and for the states of uploads.
    open_options &accept_service(const std::string &name, std::uint8_t layer = 0) {
        return check(objseal_open_options_accept_service(get(), layer, detail::text(name))), *this;
    }
    open_options &accept_key(const std::string &name, std::uint8_t layer = 0) {
        return check(objseal_open_options_accept_key(get(), layer, detail::text(name))), *this;
    }
    open_options &accept_suite(const std::string &name) {
        return check(objseal_open_options_accept_suite(get(), detail::text(name))), *this;
    }
    open_options &set_engine(std::uint8_t layer, const std::string &name) {
        return check(objseal_open_options_set_engine(get(), layer, detail::text(name))), *this;
    }

    // Opens an object that is one file: all of it, or nothing.
    bytes open(view sealed, std::uint32_t threads = 1) const {
        return filled(sealed.size(), [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_open(get(), sealed.data(), sealed.size(), out, room, len, threads);
        });
    }
};

// A data key, wrapped under a root key.
struct wrapped_key {
    std::uint8_t layer;
    std::string service, id;
    std::uint32_t version;
    std::uint8_t kind; // OBJSEAL_KEY_LOCAL and so on.
};

// What is known of an object, or of a part.
class info : public detail::owner<objseal_info, objseal_info_free> {
  public:
    using owner::owner;

    std::uint64_t plaintext_len() const { return objseal_info_plaintext_len(get()); }
    std::uint8_t layers() const { return objseal_info_layers(get()); }
    std::uint64_t generation() const { return objseal_info_generation(get()); }
    bool in_parts() const { return objseal_info_in_parts(get()); }
    bool slots_same() const { return objseal_info_slots_same(get()); }
    std::uint32_t part_number() const { return objseal_info_part_number(get()); }
    std::optional<std::string> etag() const {
        const char *etag = objseal_info_etag(get());
        return etag ? std::optional<std::string>(etag) : std::nullopt;
    }
    std::array<std::uint8_t, OBJSEAL_OBJECT_ID_LEN> object_id() const {
        std::array<std::uint8_t, OBJSEAL_OBJECT_ID_LEN> id{};
        check(objseal_info_object_id(get(), id.data()));
        return id;
    }
    // Of an object that was only inspected the stored pairs, of any other all.
    pairs context() const {
        pairs all;
        const char *name = nullptr, *value = nullptr;
        while (objseal_info_context(get(), all.size(), &name, &value) == OBJSEAL_STATUS_OK) all.emplace_back(name, value);
        return all;
    }
    // The names of the pairs that are bound and not stored.
    std::vector<std::string> bound_keys() const {
        std::vector<std::string> all;
        while (const char *name = objseal_info_bound_key(get(), all.size())) all.emplace_back(name);
        return all;
    }
    std::vector<wrapped_key> keys() const {
        std::vector<wrapped_key> all;
        const char *service = nullptr, *id = nullptr;
        std::uint8_t layer = 0;
        std::uint32_t version = 0;
        while (objseal_info_key(get(), all.size(), &layer, &service, &id, &version) == OBJSEAL_STATUS_OK)
            all.push_back({layer, service, id, version, objseal_info_key_kind(get(), all.size())});
        return all;
    }
    // A private field of the head, if it is there.
    std::optional<bytes> field(std::uint16_t tag) const {
        std::size_t needed = 0;
        if (objseal_info_field(get(), tag, nullptr, 0, &needed) == OBJSEAL_STATUS_OUT_OF_RANGE) return std::nullopt;
        return filled(needed, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_info_field(get(), tag, out, room, len);
        });
    }
    // Empty if there is no such digest.
    bytes digest(std::uint32_t which) const {
        bytes out(OBJSEAL_MAX_DIGEST_LEN);
        out.resize(objseal_info_digest(get(), which, out.data(), out.size()));
        return out;
    }
    // The same of the digest of the parts' digests.
    bytes composite_digest(std::uint32_t which) const {
        bytes out(OBJSEAL_MAX_DIGEST_LEN);
        out.resize(objseal_info_composite_digest(get(), which, out.data(), out.size()));
        return out;
    }
    // OBJSEAL_FULL_OBJECT or OBJSEAL_COMPOSITE; 0 if that is not said.
    std::uint8_t checksum_type() const { return objseal_info_checksum_type(get()); }
};

// The envelope of an object whose head and body are stored apart.
class envelope : public detail::owner<objseal_envelope, objseal_envelope_free> {
  public:
    using owner::owner;

    envelope(const open_options &with, view head)
        : owner(detail::made<objseal_envelope>(
              [&](objseal_envelope **out) { return objseal_envelope_open(with.get(), head.data(), head.size(), out); }, with.get())) {}

    bytes head() const {
        return filled(2000, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_envelope_head(get(), out, room, len);
        });
    }
    objseal::info info() const {
        return objseal::info(detail::made<objseal_info>([&](objseal_info **out) { return objseal_envelope_info(get(), out); }, get()));
    }
    envelope rewrap(const seal_options &under) const {
        return envelope(detail::made<objseal_envelope>(
            [&](objseal_envelope **out) { return objseal_envelope_rewrap(get(), under.get(), out); }, get()));
    }
};

// A completed upload: what is to be stored of it.
class completed : public detail::owner<objseal_completed, objseal_completed_free> {
  public:
    using owner::owner;

    bytes head() const {
        return filled(2000, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_completed_head(get(), out, room, len);
        });
    }
    // The part table that is to be stored beside the head; empty if it is in it.
    bytes table() const {
        return filled(2000, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_completed_table(get(), out, room, len);
        });
    }
    objseal::info info() const {
        return objseal::info(detail::made<objseal_info>([&](objseal_info **out) { return objseal_completed_info(get(), out); }, get()));
    }
};

// An object that is sealed in parts. Many threads can use it.
class upload : public detail::owner<objseal_upload, objseal_upload_free> {
  public:
    // Begins one at `place`, which is what names it, such as bucket, key and upload id.
    upload(const seal_options &under, const pairs &place)
        : owner(detail::made<objseal_upload>(
              [&](objseal_upload **out) {
                  std::vector<objseal_pair> at = c_pairs(place);
                  return objseal_upload_new(under.get(), at.data(), at.size(), out);
              },
              under.get())) {}

    // Goes on with the one of this state, with the server's key. Parts can be sealed after unlock().
    upload(const open_options &with, const pairs &place, view state)
        : owner(detail::made<objseal_upload>(
              [&](objseal_upload **out) {
                  std::vector<objseal_pair> at = c_pairs(place);
                  return objseal_upload_resume(with.get(), at.data(), at.size(), state.data(), state.size(), out);
              },
              with.get())) {}

    // Takes the object's own keys, to seal parts.
    upload &unlock(const open_options &with) { return check(objseal_upload_unlock(get(), with.get())), *this; }

    bytes state() const {
        return filled(2000, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_upload_state(get(), out, room, len);
        });
    }
    objseal::info receipt_info(view receipt) const {
        return objseal::info(detail::made<objseal_info>(
            [&](objseal_info **out) { return objseal_upload_receipt_info(get(), receipt.data(), receipt.size(), out); }, get()));
    }

    // What objseal_upload_complete can be told besides the parts.
    struct details {
        std::optional<std::string> etag = {};
        std::uint8_t checksum_type = 0;
        std::uint32_t part_digest = 0;
        std::size_t inline_len = OBJSEAL_INLINE_ENVELOPE_LEN;
    };
    // The object that these parts are, by number and ETag, given all receipts in the order of storing.
    completed complete(const std::vector<std::pair<std::uint32_t, std::string>> &parts, const std::vector<bytes> &receipts,
                       const details &more) const {
        std::vector<objseal_named_part> named;
        std::vector<objseal_bytes> stored;
        for (const auto &part : parts) named.push_back({part.first, detail::text(part.second)});
        for (const auto &receipt : receipts) stored.push_back({receipt.data(), receipt.size()});
        std::vector<std::size_t> chosen(parts.size());
        return completed(detail::made<objseal_completed>(
            [&](objseal_completed **out) {
                return objseal_upload_complete(get(), named.data(), named.size(), stored.data(), stored.size(),
                                               detail::text(more.etag), more.checksum_type, more.part_digest,
                                               more.inline_len, chosen.data(), out);
            },
            get()));
    }
    completed complete(const std::vector<std::pair<std::uint32_t, std::string>> &parts, const std::vector<bytes> &receipts) const {
        return complete(parts, receipts, details());
    }

  private:
    static std::vector<objseal_pair> c_pairs(const pairs &from) {
        std::vector<objseal_pair> all;
        for (const auto &pair : from) all.push_back({detail::text(pair.first), detail::text(pair.second)});
        return all;
    }
};

// Seals something piece by piece. One thread at a time uses it. Without finish() it has no end and does not open: that an
// exception passes through finishes nothing.
class sealer : public detail::owner<objseal_sealer, objseal_sealer_free> {
  public:
    // An object that is one file.
    static sealer file(const seal_options &under) {
        return sealer(detail::made<objseal_sealer>([&](objseal_sealer **out) { return objseal_sealer_new(under.get(), out); }, under.get()));
    }
    // The body of an object whose head is stored apart.
    static sealer body(const seal_options &under) {
        return sealer(detail::made<objseal_sealer>(
            [&](objseal_sealer **out) { return objseal_envelope_sealer_new(under.get(), out); }, under.get()));
    }
    // A part of an upload.
    static sealer part(const upload &of, std::uint32_t number, std::uint32_t digests = 0) {
        return sealer(detail::made<objseal_sealer>(
            [&](objseal_sealer **out) { return objseal_part_sealer_new(of.get(), number, digests, out); }, of.get()));
    }
    // A bare message.
    static sealer message(const key &with, view context = {}) {
        return sealer(detail::made<objseal_sealer>([&](objseal_sealer **out) {
            return objseal_cobblestone_sealer_new(with.get(), context.data(), context.size(), out);
        }));
    }

    bytes update(view data) {
        return filled(data.size() + data.size() / 100 + 49152, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_sealer_update(get(), data.data(), data.size(), out, room, len);
        });
    }
    // The same into a buffer of the caller's, which has room for `room` bytes; returns how many it took.
    std::size_t update(view data, void *out, std::size_t room) {
        std::size_t len = 0;
        check(objseal_sealer_update(get(), data.data(), data.size(), static_cast<std::uint8_t *>(out), room, &len));
        return len;
    }
    bytes finish() {
        return filled(57344, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_sealer_finish(get(), out, room, len);
        });
    }
    // When it is finished: the envelope of a body, the receipt of a part, what is known of a file.
    objseal::envelope envelope() {
        return objseal::envelope(
            detail::made<objseal_envelope>([&](objseal_envelope **out) { return objseal_sealer_envelope(get(), out); }, get()));
    }
    bytes receipt(const std::optional<std::string> &etag = {}) {
        return filled(2000, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_sealer_receipt(get(), detail::text(etag), out, room, len);
        });
    }
    objseal::info info() {
        return objseal::info(detail::made<objseal_info>([&](objseal_info **out) { return objseal_sealer_info(get(), out); }, get()));
    }

  private:
    using owner::owner;
};

// Opens something piece by piece. One thread at a time uses it.
class opener : public detail::owner<objseal_opener, objseal_opener_free> {
  public:
    static opener file(const open_options &with) {
        return opener(detail::made<objseal_opener>([&](objseal_opener **out) { return objseal_opener_new(with.get(), out); }, with.get()));
    }
    static opener body(const envelope &of) {
        return opener(
            detail::made<objseal_opener>([&](objseal_opener **out) { return objseal_envelope_opener_new(of.get(), out); }, of.get()));
    }
    static opener message(const key &with, view context = {}) {
        return opener(detail::made<objseal_opener>([&](objseal_opener **out) {
            return objseal_cobblestone_opener_new(with.get(), context.data(), context.size(), out);
        }));
    }

    // Authentic plaintext, as far as it is known.
    bytes update(view data) {
        return filled(data.size() + 65536, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_opener_update(get(), data.data(), data.size(), out, room, len);
        });
    }
    // The same into a buffer of the caller's, which has room for `room` bytes; returns how many it took.
    std::size_t update(view data, void *out, std::size_t room) {
        std::size_t len = 0;
        check(objseal_opener_update(get(), data.data(), data.size(), static_cast<std::uint8_t *>(out), room, &len));
        return len;
    }
    // The rest. Only now is the plaintext whole.
    bytes finish() {
        return filled(65536, [&](std::uint8_t *out, std::size_t room, std::size_t *len) {
            return objseal_opener_finish(get(), out, room, len);
        });
    }
    objseal::info info() {
        return objseal::info(detail::made<objseal_info>([&](objseal_info **out) { return objseal_opener_info(get(), out); }, get()));
    }

  private:
    using owner::owner;
};

// Fills `buffer` with the `len` stored bytes from `offset` on. What it throws comes out of the call that needed them.
using read_at = std::function<void(std::uint8_t *buffer, std::size_t len, std::uint64_t offset)>;

// Reads something at any offset. Many threads can use it, if they can call the callback.
class reader {
  public:
    // An object that is one file of `stored_len` bytes.
    static reader file(const open_options &with, read_at read, std::uint64_t stored_len) {
        return reader(std::move(read), with.get(), [&](void *user, objseal_reader **out) {
            return objseal_reader_new(with.get(), call, user, stored_len, out);
        });
    }
    // The body of an envelope.
    static reader body(const envelope &of, read_at read, std::uint64_t stored_len) {
        return reader(std::move(read), of.get(), [&](void *user, objseal_reader **out) {
            return objseal_envelope_reader_new(of.get(), call, user, stored_len, out);
        });
    }
    // A bare message.
    static reader message(const key &with, view context, read_at read, std::uint64_t stored_len) {
        return reader(std::move(read), with.get(), [&](void *user, objseal_reader **out) {
            return objseal_cobblestone_reader_new(with.get(), context.data(), context.size(), call, user, stored_len, out);
        });
    }

    objseal_reader *get() const { return handle_->get(); }

    // Length of the plaintext. It is authentic.
    std::uint64_t size() const {
        std::uint64_t len = 0;
        detail::check(objseal_reader_len(get(), &len), get());
        return len;
    }
    // Fills `out` with `len` bytes of the plaintext.
    void read(std::uint64_t start, void *out, std::size_t len, std::uint32_t threads = 1) const {
        source_->check(objseal_reader_read(get(), start, static_cast<std::uint8_t *>(out), len, threads), get());
    }
    bytes read(std::uint64_t start, std::size_t len, std::uint32_t threads = 1) const {
        bytes out(len);
        read(start, out.data(), len, threads);
        return out;
    }
    objseal::info info() const {
        return objseal::info(detail::made<objseal_info>([&](objseal_info **out) { return objseal_reader_info(get(), out); }, get()));
    }

  private:
    // The callback, and what it threw last: no exception may go through the library.
    struct source {
        read_at read;
        std::mutex lock;
        std::exception_ptr thrown;

        void check(objseal_status status, const void *handle) {
            if (status == OBJSEAL_STATUS_IO) {
                std::lock_guard<std::mutex> hold(lock);
                if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
            }
            detail::check(status, handle);
        }
    };

    using handle = detail::owner<objseal_reader, objseal_reader_free>;

    template <typename Make>
    reader(read_at read, const void *from, Make make) : source_(std::make_unique<source>()) {
        source_->read = std::move(read);
        objseal_reader *made = nullptr;
        source_->check(make(source_.get(), &made), from);
        handle_ = std::make_unique<handle>(made);
    }

    static std::int32_t call(void *user, std::uint8_t *buffer, std::size_t len, std::uint64_t offset) noexcept {
        auto *from = static_cast<source *>(user);
        try {
            from->read(buffer, len, offset);
            return 0;
        } catch (...) {
            std::lock_guard<std::mutex> hold(from->lock);
            from->thrown = std::current_exception();
            return 1;
        }
    }

    // Freed after the handle, which calls it.
    std::unique_ptr<source> source_;
    std::unique_ptr<handle> handle_;
};

} // namespace objseal

#endif
