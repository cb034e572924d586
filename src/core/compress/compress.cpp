#include "core/compress/compress.hpp"

#include <brotli/encode.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/base/result.hpp"

namespace agentauri {
namespace {

constexpr int kGzipWindow = 15 + 16;   // 32 KiB, and the 16 that asks zlib for gzip's framing
constexpr int kMemoryLevel = 8;        // zlib's default
constexpr int kQuickWindow = 18;       // 256 KiB: more than most answers hold, and cheaper to set up
constexpr std::size_t kInflateStep = 64 * 1024;

Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));   // zlib only reads
}

// Ends what was begun, on every way out.
struct Inflating {
  Inflating() { ready = inflateInit2(&stream, kGzipWindow) == Z_OK; }
  ~Inflating() { inflateEnd(&stream); }
  Inflating(const Inflating&) = delete;
  Inflating& operator=(const Inflating&) = delete;

  z_stream stream{};
  bool ready = false;
};

}   // namespace

std::string gzip(std::string_view text, Effort effort) {
  ENSURE(text.size() <= std::numeric_limits<uInt>::max(), "a body is larger than zlib takes at once");
  z_stream stream{};
  const int begun =
      deflateInit2(&stream, effort == Effort::quick ? 3 : 9, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY);
  ENSURE(begun == Z_OK, "zlib has no memory");
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = bytes_of(text);
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = bytes_of(out);
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  ENSURE(ended == Z_STREAM_END, "zlib did not keep its bound");
  return out;
}

std::string brotli(std::string_view text, Effort effort) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  const bool is_quick = effort == Effort::quick;
  const auto packed = BrotliEncoderCompress(is_quick ? 3 : 9, is_quick ? kQuickWindow : BROTLI_DEFAULT_WINDOW,
                                            BROTLI_MODE_TEXT, text.size(), bytes_of(text), &size, bytes_of(out));
  ENSURE(packed == BROTLI_TRUE, "brotli did not keep its bound");
  out.resize(size);
  return out;
}

std::optional<std::string> gunzip(std::string_view packed, std::size_t max_bytes) {
  Inflating inflating;
  if (!inflating.ready || packed.size() > std::numeric_limits<uInt>::max()) return std::nullopt;
  auto& stream = inflating.stream;
  stream.next_in = bytes_of(packed);
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    const std::size_t filled = out.size();
    // One byte beyond the bound tells that it was crossed.
    const std::size_t room = std::min(kInflateStep, max_bytes + 1 - filled);
    out.resize(filled + room);
    stream.next_out = bytes_of(out) + filled;
    stream.avail_out = static_cast<uInt>(room);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(filled + room - stream.avail_out);
    if ((state != Z_OK && state != Z_STREAM_END) || out.size() > max_bytes) return std::nullopt;
  }
  if (stream.avail_in != 0) return std::nullopt;
  return out;
}

}   // namespace agentauri
