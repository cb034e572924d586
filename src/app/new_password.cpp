#include "app/new_password.hpp"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>

#include "core/crypto/crypto.hpp"

namespace agentauri::app {
namespace {

// Without what is easily taken for something else.
constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
constexpr std::size_t kGroups = 4, kGroupSize = 5;

// The echo is off as long as it lives.
class Silence {
 public:
  Silence() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_silent_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~Silence() {
    if (is_silent_) (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  termios before_{};
  bool is_silent_ = false;
};

std::optional<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::optional<std::string> ask(const char* what) {
  fmt::print(stderr, "{}: ", what);
  const Silence silence;
  auto line = read_line();
  fmt::print(stderr, "\n");
  return line;
}

Result<std::string> ask_twice() {
  if (::isatty(STDIN_FILENO) == 0)
    return fail(Code::invalid, "password",
                "there is no terminal to ask for the password: use --password-stdin or --generate");
  auto first = ask("New password"), second = first ? ask("Once more") : std::nullopt;
  if (!first || !second) return fail(Code::invalid, "password", "no password was entered");
  if (*first != *second) return fail(Code::invalid, "password", "the two passwords differ");
  return std::move(*first);
}

// A letter of the alphabet, each with the same chance.
char random_letter() {
  const std::size_t fair = 256 - 256 % kAlphabet.size();
  while (true) {
    const std::size_t drawn = crypto::random_bytes(1)[0];
    if (drawn < fair) return kAlphabet[drawn % kAlphabet.size()];
  }
}

}   // namespace

std::string generate_password() {
  const auto has = [](const std::string& text, char from, char to) {
    return std::any_of(text.begin(), text.end(), [=](char c) { return c >= from && c <= to; });
  };
  std::string out;
  do {
    out.clear();
    for (std::size_t i = 0; i < kGroups * kGroupSize; ++i) {
      if (i > 0 && i % kGroupSize == 0) out.push_back('-');   // also the special character of the strict policy
      out.push_back(random_letter());
    }
  } while (!has(out, 'a', 'z') || !has(out, 'A', 'Z') || !has(out, '0', '9'));
  return out;
}

Result<std::string> read_new_password(PasswordSource source) {
  switch (source) {
    case PasswordSource::generated:
      return generate_password();
    case PasswordSource::standard_input:
      if (auto line = read_line()) return std::move(*line);
      return fail(Code::invalid, "password", "standard input holds no password");
    case PasswordSource::terminal:
      break;
  }
  return ask_twice();
}

}   // namespace agentauri::app
