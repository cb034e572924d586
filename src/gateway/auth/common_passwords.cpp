#include "gateway/auth/common_passwords.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace agentauri::gateway {
namespace {

// Of at least 8 characters, since shorter ones are refused anyhow, and none that the rules below find too.
constexpr std::array kCommon = std::to_array<std::string_view>({
    "123456789a", "123qweasd",  "1q2w3e4r",    "1q2w3e4r5t",  "11223344",      "1qaz2wsx",   "1qazxsw2",   "a1234567",
    "a12345678",  "a123456789", "aa123456",    "aa12345678",  "abc12345",      "abc123456",  "abcd1234",   "abcd12345",
    "access14",   "admin123",   "admin1234",   "admin12345",  "administrator", "alexander",  "amanda123",  "america1",
    "andrew123",  "angel123",   "anthony1",    "apple123",    "arsenal1",      "asd123456",  "asdf1234",   "ashley123",
    "babygirl",   "babygirl1",  "barcelona",   "baseball",    "baseball1",     "basketball", "batman123",  "beautiful",
    "benjamin",   "blink182",   "bonjour1",    "brandon1",    "brooklyn",      "butterfly",  "caroline",   "changeit",
    "changeme",   "changeme1",  "changeme123", "charlie1",    "charlotte",     "chelsea1",   "chocolate",  "chocolate1",
    "christian",  "christine",  "christmas",   "christopher", "cocacola",      "colorado",   "computer",   "computer1",
    "cookie123",  "corvette",   "cowboys1",    "creative",    "danielle",      "default1",   "diamond1",   "dolphins",
    "dragon12",   "dragon123",  "einstein",    "elephant",    "elizabeth",     "facebook",   "family123",  "football",
    "football1",  "forever1",   "freedom1",    "friends1",    "fuckyou1",      "gangster",   "garfield",   "george123",
    "gfhjkm123",  "godzilla",   "google123",   "guest123",    "hannah123",     "happy123",   "harley123",  "hello123",
    "hello1234",  "helloworld", "hunter123",   "iloveyou",    "iloveyou1",     "iloveyou2",  "iloveyou!",  "internet",
    "isabella",   "jasmine1",   "jennifer",    "jessica1",    "jesus123",      "jonathan",   "jordan23",   "jordan123",
    "justin123",  "katherine",  "killer123",   "kristina",    "lakers24",      "letmein1",   "letmein123", "letmein!",
    "liverpool",  "liverpool1", "login123",    "london123",   "love1234",      "lovely123",  "loveyou1",   "lucky123",
    "manchester", "margaret",   "marlboro",    "martin123",   "master12",      "master123",  "matrix123",  "matthew1",
    "maverick",   "mercedes",   "michael1",    "michelle",    "michelle1",     "midnight",   "minecraft",  "monkey12",
    "monkey123",  "mustang1",   "mynameis",    "mypassword",  "myspace1",      "naruto123",  "nicholas",   "nicole123",
    "nintendo",   "nothing1",   "orange123",   "p@55w0rd",    "p@ssw0rd",      "p@ssw0rd1",  "p@ssword",   "p@ssword1",
    "pa55w0rd",   "pa55word",   "pa$$w0rd",    "pa$$word",    "pakistan",      "parola123",  "pass1234",   "pass12345",
    "passport",   "passw0rd",   "passw0rd1",   "passw0rd!",   "password",      "password!",  "password0",  "password01",
    "password1",  "password1!", "password11",  "password12",  "password123",   "password2",  "password3",  "password99",
    "patrick1",   "phoenix1",   "playboy1",    "pokemon1",    "pokemon123",    "precious",   "princess",   "princess1",
    "q1w2e3r4",   "q1w2e3r4t5", "qazwsx123",   "qazwsxedc",   "qwe12345",      "qwer1234",   "qwert123",   "qwert1234",
    "qwerty12",   "qwerty123",  "qwerty1234",  "qwerty12345", "raiders1",      "rainbow1",   "remember",   "richard1",
    "robert123",  "root1234",   "samantha",    "samantha1",   "samsung1",      "samsung123", "sandra123",  "scorpion",
    "secret12",   "secret123",  "security",    "shadow12",    "shadow123",     "slipknot",   "snickers",   "soccer123",
    "someone1",   "spiderman",  "spiderman1",  "spongebob",   "startrek",      "starwars",   "starwars1",  "steelers",
    "stephanie",  "student1",   "summer123",   "sunshine",    "sunshine1",     "superman",   "superman1",  "superstar",
    "swordfish",  "sweetheart", "temp1234",    "temporary",   "tennis123",     "test1234",   "test12345",  "thailand",
    "thomas123",  "thunder1",   "tigger123",   "tinkerbell",  "trustno1",      "twilight",   "undertaker", "unicorn1",
    "user1234",   "valentina",  "vanessa1",    "veronica",    "victoria",      "victoria1",  "welcome1",   "welcome12",
    "welcome123", "welcome1!",  "welcome@123", "whatever",    "whatever1",     "william1",   "winner123",  "winston1",
    "wordpass",   "xxxxxxxx1",  "yankees1",    "yellow123",   "zaq12wsx",      "zaq1xsw2",   "zxcvbnm1",   "zxcvbnm123",
});
// One that holds one of these is refused too (http-api.md 3.7).
constexpr std::array<std::string_view, 20> kCommonParts{
    "password123456", "123456password", "qwerty123456", "admin123456!", "letmein12345", "welcome12345", "monkey123456",
    "dragon123456",   "master123456",   "login1234567", "abc123456789", "password1234", "iloveyou1234", "sunshine1234",
    "princess1234",   "football1234",   "baseball1234", "trustno1234!", "shadow123456", "michael12345"};

// Beyond this the length makes up for what the shape lacks.
constexpr std::size_t kMaxShaped = 16;

// What a finger walks along, there and back.
constexpr std::array<std::string_view, 6> kRows{
    "abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop"};

bool is_walk(std::string_view text) {
  const std::string back(text.rbegin(), text.rend());
  return std::any_of(kRows.begin(), kRows.end(),
                     [&](std::string_view row) { return row.contains(text) || row.contains(back); });
}

// `abab…`, `123123…`: pieces of at most 4 characters say no more than one of them.
bool is_repetition(std::string_view text) {
  for (std::size_t piece = 1; piece <= 4 && piece * 2 <= text.size(); ++piece) {
    if (text.substr(piece) == text.substr(0, text.size() - piece)) return true;
  }
  return false;
}

}   // namespace

bool is_common_password(std::string_view folded) {
  const bool is_shaped = folded.size() <= kMaxShaped && (is_walk(folded) || is_repetition(folded));
  return is_shaped || std::find(kCommon.begin(), kCommon.end(), folded) != kCommon.end() ||
         std::any_of(kCommonParts.begin(), kCommonParts.end(),
                     [folded](std::string_view part) { return folded.contains(part); });
}

}   // namespace agentauri::gateway
