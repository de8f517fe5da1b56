// What the C++ header is like: an object at once, in pieces, by ranges, in parts, and what goes wrong.

#include "objseal.hpp"

#include <cstring>
#include <iostream>

#define CHECK(what)                                                                                \
    if (!(what)) return std::cerr << __LINE__ << ": " #what "\n", 1

static std::string text(const objseal::bytes &from) { return std::string(from.begin(), from.end()); }

static int at_once(const objseal::key &key) {
    objseal::seal_options seal_options;
    seal_options.add_key(key).add_key(key, 2).add_context("name", "letter").set_digests(OBJSEAL_SHA512);
    objseal::bytes sealed = seal_options.seal("Dear reader");

    objseal::open_options open_options;
    open_options.add_key(objseal::key::generate()).add_key(key).add_context("name", "letter");
    open_options.set_minimum_layers(2).accept_service("single-key").accept_key("key", 2);
    CHECK(text(open_options.open(sealed)) == "Dear reader");
    objseal::reader reader = objseal::reader::file(
        open_options, [&](std::uint8_t *out, std::size_t len, std::uint64_t at) { std::memcpy(out, sealed.data() + at, len); },
        sealed.size());
    CHECK(reader.info().digest(OBJSEAL_SHA512).size() == 64);

    objseal::open_options stranger;
    stranger.add_key(objseal::key::generate()).add_context("name", "letter");
    try {
        stranger.open(sealed);
        return 1;
    } catch (const objseal::error &error) {
        std::cout << "another key: " << error.what() << "\n";
        CHECK(error.status() == OBJSEAL_STATUS_AUTHENTICATION);
    }
    return 0;
}

static int pieces_and_ranges(const objseal::key &key) {
    objseal::seal_options seal_options;
    objseal::open_options open_options;
    seal_options.add_key(key);
    open_options.add_key(key);
    std::string plain(300000, 'x'), opened;
    for (std::size_t i = 0; i < plain.size(); i++) plain[i] = static_cast<char>('a' + i % 23);

    objseal::sealer sealer = objseal::sealer::file(seal_options);
    objseal::bytes sealed;
    for (std::size_t at = 0; at < plain.size(); at += 70000)
        for (std::uint8_t byte : sealer.update(std::string_view(plain).substr(at, 70000))) sealed.push_back(byte);
    for (std::uint8_t byte : sealer.finish()) sealed.push_back(byte);
    CHECK(sealer.info().plaintext_len() == plain.size());

    objseal::opener opener = objseal::opener::file(open_options);
    opened += text(opener.update(sealed));
    opened += text(opener.finish());
    CHECK(opened == plain && opener.info().layers() == 1);

    bool broken = false;
    objseal::reader reader = objseal::reader::file(
        open_options,
        [&](std::uint8_t *buffer, std::size_t len, std::uint64_t offset) {
            if (broken) throw std::runtime_error("the disk is gone");
            std::memcpy(buffer, sealed.data() + offset, len);
        },
        sealed.size());
    CHECK(reader.size() == plain.size());
    CHECK(text(reader.read(123456, 1000)) == plain.substr(123456, 1000));
    objseal::reader moved = std::move(reader);
    broken = true;
    try {
        moved.read(0, 10);
        return 1;
    } catch (const std::runtime_error &error) {
        std::cout << "what the callback threw: " << error.what() << "\n";
        CHECK(std::string(error.what()) == "the disk is gone");
    }
    return 0;
}

// A server knows where an object is, and not what else its client bound it to.
static int what_is_bound(const objseal::key &key) {
    objseal::seal_options seal_options;
    seal_options.add_key(key).bind_context("name", "letter").add_context("colour", "green").set_field(0xC000, "tier 2");
    objseal::sealer sealer = objseal::sealer::body(seal_options);
    objseal::bytes body = sealer.finish(), head = sealer.envelope().head();

    objseal::open_options open_options;
    open_options.add_key(key).add_context("name", "letter").any_stored_context();
    objseal::info info = objseal::envelope(open_options, head).info();
    CHECK(info.context() == objseal::pairs({{"colour", "green"}, {"name", "letter"}}));
    CHECK(info.bound_keys() == std::vector<std::string>{"name"});
    CHECK(info.field(0xC000) && text(*info.field(0xC000)) == "tier 2" && !info.field(0xC001));
    CHECK(info.keys().size() == 1 && info.keys()[0].service == "single-key" && info.keys()[0].kind == OBJSEAL_KEY_LOCAL);

    open_options.add_context("colour", "green");
    try {
        objseal::envelope(open_options, head);
        return 1;
    } catch (const objseal::error &error) {
        std::cout << "a pair too many: " << error.what() << "\n";
        CHECK(error.status() == OBJSEAL_STATUS_POLICY);
    }
    return 0;
}

static int parts(const objseal::key &client, const objseal::key &server) {
    const objseal::pairs place = {{"bucket", "letters"}, {"key", "letter"}, {"upload id", "1"}};
    objseal::seal_options seal_options;
    seal_options.add_key(client).set_upload_key(server);
    objseal::open_options with_client, with_server;
    with_client.add_key(client);
    with_server.add_key(server);
    objseal::bytes state = objseal::upload(seal_options, place).state();

    // Elsewhere: the server's key goes on with the upload, and the client's seals its parts.
    objseal::upload elsewhere(with_server, place, state);
    objseal::sealer sealer = objseal::sealer::part(elsewhere.unlock(with_client), 7, OBJSEAL_MD5);
    objseal::bytes body = sealer.update("the only part");
    for (std::uint8_t byte : sealer.finish()) body.push_back(byte);
    objseal::bytes receipt = sealer.receipt("an etag");

    objseal::upload upload(with_server, place, state);
    CHECK(upload.receipt_info(receipt).etag() == "an etag");
    try {
        objseal::sealer::part(upload, 8);
        return 1;
    } catch (const objseal::error &error) {
        std::cout << "the server alone: " << error.what() << "\n";
        CHECK(error.status() == OBJSEAL_STATUS_KEY_NOT_FOUND);
    }
    objseal::upload::details more;
    more.checksum_type = OBJSEAL_COMPOSITE;
    objseal::completed completed = upload.complete({{7, "an etag"}}, {receipt}, more);
    CHECK(completed.table().empty() && completed.info().etag()->size() == 34);
    objseal::info info = objseal::envelope(with_client, completed.head()).info();
    CHECK(info.in_parts() && info.plaintext_len() == 13 && info.checksum_type() == OBJSEAL_COMPOSITE);
    CHECK(info.composite_digest(OBJSEAL_MD5).size() == 16 && info.digest(OBJSEAL_MD5).empty());
    try {
        upload.complete({{7, "another"}}, {receipt});
        return 1;
    } catch (const objseal::error &error) {
        std::cout << "another ETag: " << error.what() << "\n";
        CHECK(error.status() == OBJSEAL_STATUS_PARTS);
    }
    return 0;
}

int main() {
    objseal::key key = objseal::key::generate(), server = objseal::key::generate();
    int failed = at_once(key) + pieces_and_ranges(key) + what_is_bound(key) + parts(key, server);
    if (failed == 0) std::cout << "objseal " << objseal::version() << " from C++: as it should be\n";
    return failed;
}
