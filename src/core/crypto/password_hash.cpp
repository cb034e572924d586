// Argon2id by the reference library, which takes its memory from us. libsodium's maps and unmaps 19 MiB for each hash,
// and while the kernel clears and takes back those pages, every other thread that needs a page waits.
#include <argon2.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>

#include "core/crypto/crypto.hpp"

namespace agentauri::crypto {
namespace {

constexpr std::uint32_t kPasses = 2, kKibibytes = 19'456;
constexpr std::uint32_t kMaxPasses = 1000, kMaxKibibytes = 4 * 1024 * 1024;
constexpr std::size_t kSaltBytes = 16;

// What a thread hashes in, kept from one hash to the next.
class Memory {
 public:
  ~Memory() { release(); }
  std::uint8_t* take(std::size_t bytes) {
    if (bytes_ == bytes) return start_;
    release();
    void* got = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) return nullptr;
    start_ = static_cast<std::uint8_t*>(got);
    bytes_ = bytes;
    return start_;
  }
  void release() {
    if (bytes_ != 0) ::munmap(start_, bytes_);
    start_ = nullptr;
    bytes_ = 0;
  }

 private:
  std::uint8_t* start_ = nullptr;
  std::size_t bytes_ = 0;
};
thread_local Memory memory;

int take_memory(std::uint8_t** out, std::size_t bytes) {
  *out = memory.take(bytes);
  return *out != nullptr ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}
void keep_memory(std::uint8_t*, std::size_t) {}

// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`: 16 bytes of salt, 32 of hash, one lane.
struct Phc {
  std::uint32_t kibibytes = 0, passes = 0;
  Bytes salt;
  Hash32 hash;
};

template <class Number>
bool take_number(std::string_view& text, std::string_view before, Number& out) {
  if (!text.starts_with(before)) return false;
  text.remove_prefix(before.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::optional<Phc> parse_phc(std::string_view text) {
  Phc out;
  if (!take_number(text, "$argon2id$v=19$m=", out.kibibytes) || !take_number(text, ",t=", out.passes) ||
      !text.starts_with(",p=1$") || out.kibibytes > kMaxKibibytes || out.passes > kMaxPasses)
    return std::nullopt;
  text.remove_prefix(5);
  if (text.contains('=')) return std::nullopt;   // PHC strings have no padding
  const std::size_t dollar = std::min(text.find('$'), text.size());
  auto salt = from_base64(text.substr(0, dollar));
  const auto hash = from_base64(text.substr(std::min(dollar + 1, text.size())));
  const auto whole = hash ? Hash32::from(*hash) : std::nullopt;
  if (!salt || salt->size() != kSaltBytes || !whole) return std::nullopt;
  out.salt = std::move(*salt);
  out.hash = *whole;
  return out;
}

std::string unpadded(ByteView data) {
  std::string out = base64(data);
  out.resize(out.find_last_not_of('=') + 1);
  return out;
}

// false: Argon2 does not take these parameters, and nothing was made. Code::busy: the memory cannot be had.
Result<bool> hash_into(Hash32& out, const Phc& how, std::string_view password) {
  argon2_context context{};
  context.out = out.data.data();
  context.outlen = static_cast<std::uint32_t>(out.data.size());
  context.pwd = reinterpret_cast<std::uint8_t*>(const_cast<char*>(password.data()));   // only read
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = const_cast<std::uint8_t*>(how.salt.data());   // likewise
  context.saltlen = static_cast<std::uint32_t>(how.salt.size());
  context.t_cost = how.passes;
  context.m_cost = how.kibibytes;
  context.lanes = context.threads = 1;
  context.version = ARGON2_VERSION_13;
  context.allocate_cbk = take_memory;
  context.free_cbk = keep_memory;
  const int done = argon2_ctx(&context, Argon2_id);
  if (done == ARGON2_MEMORY_ALLOCATION_ERROR) return fail(Code::busy, "there is no memory for a password's hash");
  return done == ARGON2_OK;
}

}   // namespace

Result<std::string> hash_password(std::string_view password) {
  Phc phc{kKibibytes, kPasses, random_bytes(kSaltBytes), {}};
  auto made = hash_into(phc.hash, phc, password);
  if (!made) return fail(made);
  ENSURE(*made, "Argon2 takes our own parameters, and a password of any length that a request may have");
  return "$argon2id$v=19$m=" + std::to_string(kKibibytes) + ",t=" + std::to_string(kPasses) + ",p=1$" +
         unpadded(phc.salt) + "$" + unpadded(phc.hash.view());
}

Result<bool> verify_password(std::string_view phc, std::string_view password) {
  const auto known = parse_phc(phc);
  if (!known) return false;
  Hash32 made;
  auto done = hash_into(made, *known, password);
  if (!done) return fail(done);
  return *done && equal_constant_time(made.view(), known->hash.view());
}

void release_password_memory() {
  memory.release();
}

}   // namespace agentauri::crypto
