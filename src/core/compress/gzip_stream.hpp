// gzip files that do not fit into memory: packed and unpacked as they pass.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "core/base/result.hpp"

namespace agentauri {

// Takes the next piece of output; its failure ends the stream's call with the same error.
using GzipSink = std::function<Result<void>(std::string_view)>;

// Packs what is written to it into one gzip member without name or time. About 270 KiB of memory.
class GzipWriter {
 public:
  explicit GzipWriter(GzipSink sink);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  Result<void> write(std::string_view text);
  Result<void> finish();   // last call

 private:
  struct State;
  Result<void> pump(std::string_view text, bool last);
  GzipSink sink_;
  std::unique_ptr<State> state_;
};

// Unpacks one or several members, one behind the other, as gunzip does.
class GzipReader {
 public:
  explicit GzipReader(GzipSink sink);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // Code::corrupt when it is no gzip, or damaged.
  Result<void> write(std::string_view packed);
  // Code::corrupt when the file ended too early.
  Result<void> finish();

 private:
  struct State;
  GzipSink sink_;
  std::unique_ptr<State> state_;
};

}   // namespace agentauri
