// What the C++ header is like: an object at once, in pieces, by ranges, in parts, and what goes wrong.

#include "objseal.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
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

// What breaks off has no end, and does not open.
static int broken_off(const objseal::key &key) {
    objseal::seal_options seal_options;
    objseal::open_options open_options;
    seal_options.add_key(key);
    open_options.add_key(key);
    objseal::bytes sealed;
    try {
        objseal::sealer sealer = objseal::sealer::file(seal_options);
        sealed = sealer.update(std::string(300000, 'x'));
        throw std::runtime_error("the source is gone");
    } catch (const std::runtime_error &error) {
        std::cout << "a source: " << error.what() << "\n";
    }
    CHECK(sealed.size() > 200000);
    try {
        open_options.open(sealed);
        return 1;
    } catch (const objseal::error &error) {
        std::cout << "what it had sealed: " << error.what() << "\n";
        CHECK(error.status() == OBJSEAL_STATUS_AUTHENTICATION);
    }
    return 0;
}

// C ends a text at a zero. Here one that has a zero in it is refused, wherever it goes: it would be another text.
template <typename Act> static int zero_refused(Act act) {
    try {
        act();
        return std::cerr << "a zero was taken\n", 1;
    } catch (const objseal::error &error) {
        CHECK(error.status() == OBJSEAL_STATUS_ARGUMENT && std::string(error.what()) == "a text has a zero in it");
        return 0;
    }
}

static int texts_with_zeros(const objseal::key &key, const std::string &folder) {
    const std::string zero("a\0b", 3), path = folder + "/keyring";
    const objseal::keyring keyring = objseal::keyring::create(path, "photos");
    objseal::seal_options seal;
    objseal::open_options open;
    seal.add_key(key).set_upload_key(key);
    const objseal::upload upload(seal, {{"key", "a"}});
    int taken = 0;
    taken += zero_refused([&] { objseal::keyring::create(folder + "/" + zero, "photos"); });
    taken += zero_refused([&] { objseal::keyring::create(folder + "/other", zero); });
    taken += zero_refused([&] { objseal::keyring::create(folder + "/other", "photos", zero); });
    taken += zero_refused([&] { objseal::keyring::open(path + std::string(1, 0)); });
    taken += zero_refused([&] { objseal::keyring::open(path, zero); });
    taken += zero_refused([&] { objseal::keyring::is_at(path + std::string(1, 0)); });
    taken += zero_refused([&] { objseal::keyring::open(path).add(zero); });
    taken += zero_refused([&] { objseal::keyring::open(path).rotate("photos" + std::string(1, 0)); });
    taken += zero_refused([&] { seal.add_key(keyring, "photos" + std::string(1, 0)); });
    taken += zero_refused([&] { seal.set_upload_key(keyring, "photos" + std::string(1, 0)); });
    taken += zero_refused([&] { seal.add_context(zero, ""); });
    taken += zero_refused([&] { seal.add_context("", zero); });
    taken += zero_refused([&] { seal.bind_context(zero, ""); });
    taken += zero_refused([&] { seal.bind_context("name", zero); });
    taken += zero_refused([&] { seal.set_engine(1, "soft" + std::string(1, 0)); });
    taken += zero_refused([&] { open.add_context(zero, ""); });
    taken += zero_refused([&] { open.add_context("name", zero); });
    taken += zero_refused([&] { open.accept_suite("Cobblestone-256" + std::string(1, 0)); });
    taken += zero_refused([&] { open.accept_service(zero); });
    taken += zero_refused([&] { open.accept_key(zero); });
    taken += zero_refused([&] { open.set_engine(1, "soft" + std::string(1, 0)); });
    taken += zero_refused([&] { objseal::upload(seal, {{"key", zero}}); });
    taken += zero_refused([&] { objseal::upload(seal, {{zero, "a"}}); });
    objseal::sealer sealer = objseal::sealer::part(upload, 1);
    sealer.finish();
    taken += zero_refused([&] { sealer.receipt(zero); });
    const objseal::bytes receipt = sealer.receipt("etag");
    taken += zero_refused([&] { upload.complete({{1, "etag" + std::string(1, 0)}}, {receipt}); });
    objseal::upload::details more;
    more.etag = zero;
    taken += zero_refused([&] { upload.complete({{1, "etag"}}, {receipt}, more); });
    CHECK(taken == 0);
    CHECK(objseal::keyring::is_at(path) && !objseal::keyring::is_at(folder + "/other"));
    return 0;
}

// What goes wrong with the file of a keyring says which file, and what the system says.
static int files_of_keyrings(const std::string &folder) {
    const std::string path = folder + "/" + std::string(250, 'k') + "/keyring";
    try {
        objseal::keyring::create(path, "photos");
        return 1;
    } catch (const objseal::error &error) {
        CHECK(error.status() == OBJSEAL_STATUS_IO && error.system_errno() == ENOENT);
        CHECK(std::string(error.what()).find(path + ": " + std::strerror(ENOENT)) == 0);
    }
    try {
        objseal::keyring::create(folder + "/empty", "photos", "");
        return 1;
    } catch (const objseal::error &error) {
        std::cout << "an empty passphrase: " << error.what() << "\n";
        CHECK(error.status() == OBJSEAL_STATUS_ARGUMENT && error.system_errno() == 0);
    }
    return 0;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    objseal::key key = objseal::key::generate(), server = objseal::key::generate();
    const std::string folder = std::string(argv[1]) + "/cpp";
    std::filesystem::create_directory(folder);
    int failed = at_once(key) + pieces_and_ranges(key) + what_is_bound(key) + parts(key, server) + broken_off(key) +
                 texts_with_zeros(key, folder) + files_of_keyrings(folder);
    std::filesystem::remove_all(folder);
    if (failed == 0) std::cout << "objseal " << objseal::version() << " from C++: as it should be\n";
    if (!std::cout.flush()) return std::cerr << "output: " << std::strerror(errno) << "\n", 1;
    return failed;
}
