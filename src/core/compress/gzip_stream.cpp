#include "core/compress/gzip_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace agentauri {
namespace {

constexpr int kGzipWindow = 15 + 16;   // 32 KiB, and the 16 that asks zlib for gzip's framing
constexpr int kMemoryLevel = 8;        // zlib's default
constexpr int kLevel = 6;              // gzip's own default
constexpr std::size_t kStep = 64 * 1024;
constexpr std::size_t kMaxInput = 1 << 30;   // of one call of zlib

Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));   // zlib only reads
}

std::unexpected<Error> damaged(const char* what) {
  return fail(Code::corrupt, what);
}

}   // namespace

struct GzipWriter::State {
  z_stream stream{};
  std::array<char, kStep> out{};
};

GzipWriter::GzipWriter(GzipSink sink) : sink_(std::move(sink)), state_(std::make_unique<State>()) {
  const int begun = deflateInit2(&state_->stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY);
  ENSURE(begun == Z_OK, "zlib has no memory");
}

GzipWriter::~GzipWriter() {
  deflateEnd(&state_->stream);
}

Result<void> GzipWriter::pump(std::string_view text, bool last) {
  auto& stream = state_->stream;
  stream.next_in = bytes_of(text);
  stream.avail_in = static_cast<uInt>(text.size());
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(state_->out.data());
    stream.avail_out = kStep;
    const int code = deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
    ENSURE(code != Z_STREAM_ERROR, "a gzip stream is in order");
    if (const std::size_t made = kStep - stream.avail_out; made > 0) {
      if (auto taken = sink_({state_->out.data(), made}); !taken) return taken;
    }
    if (last ? code == Z_STREAM_END : stream.avail_out > 0) return {};
  }
}

Result<void> GzipWriter::write(std::string_view text) {
  while (!text.empty()) {
    const auto part = text.substr(0, kMaxInput);
    if (auto done = pump(part, false); !done) return done;
    text.remove_prefix(part.size());
  }
  return {};
}

Result<void> GzipWriter::finish() {
  return pump({}, true);
}

struct GzipReader::State {
  z_stream stream{};
  std::array<char, kStep> out{};
  bool ended = false;   // at the end of a member
};

GzipReader::GzipReader(GzipSink sink) : sink_(std::move(sink)), state_(std::make_unique<State>()) {
  ENSURE(inflateInit2(&state_->stream, kGzipWindow) == Z_OK, "zlib has no memory");
}

GzipReader::~GzipReader() {
  inflateEnd(&state_->stream);
}

Result<void> GzipReader::write(std::string_view packed) {
  auto& stream = state_->stream;
  while (!packed.empty()) {
    const auto part = packed.substr(0, kMaxInput);
    packed.remove_prefix(part.size());
    stream.next_in = bytes_of(part);
    stream.avail_in = static_cast<uInt>(part.size());
    do {
      if (state_->ended) {
        inflateReset(&stream);
        state_->ended = false;
      }
      stream.next_out = reinterpret_cast<Bytef*>(state_->out.data());
      stream.avail_out = kStep;
      const int code = inflate(&stream, Z_NO_FLUSH);
      if (code == Z_MEM_ERROR) return fail(Code::unavailable, "zlib has no memory");
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return damaged("the gzip data is damaged");
      if (const std::size_t made = kStep - stream.avail_out; made > 0) {
        if (auto taken = sink_({state_->out.data(), made}); !taken) return taken;
      }
      state_->ended = code == Z_STREAM_END;
    } while (stream.avail_in > 0 || (!state_->ended && stream.avail_out == 0));
  }
  return {};
}

Result<void> GzipReader::finish() {
  if (!state_->ended) return damaged("the gzip data ends too early");
  return {};
}

}   // namespace agentauri
