#include "core/crypto/certificate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentauri::crypto {
namespace {

using ::testing::ElementsAre;

// openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=common name" -days … [-addext
// subjectAltName=DNS:api.example.org,DNS:*.example.org,IP:127.0.0.1]
constexpr std::string_view kTwoNames = R"(-----BEGIN CERTIFICATE-----
MIIBtTCCAVqgAwIBAgIUUu66FXdMSf0KH/v7dKz1V7aoBzgwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLY29tbW9uIG5hbWUwHhcNMjYxMTI3MDEzMzUyWhcNMzYxMTI0
MDEzMzUyWjAWMRQwEgYDVQQDDAtjb21tb24gbmFtZTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABAHMZw3WlzMKluZntLwhJLLo2IeBuBiZcewFAC35Xc6z2k0MRU54
DdtKree3825O3hJm+3yuiqukCyIIGZhQIJyjgYUwgYIwHQYDVR0OBBYEFMCtayM2
uKsZHA9VZU5RgwEayyeZMB8GA1UdIwQYMBaAFMCtayM2uKsZHA9VZU5RgwEayyeZ
MA8GA1UdEwEB/wQFMAMBAf8wLwYDVR0RBCgwJoIPYXBpLmV4YW1wbGUub3Jngg0q
LmV4YW1wbGUub3JnhwR/AAABMAoGCCqGSM49BAMCA0kAMEYCIQC+mGL0aSCjyBaM
KmpaZTvDJuN4uFATevj7/wgQG5a5/wIhAOgwdvvT0mGtfksWqO9LsXmPNLJZblrN
QYFNtFN9YSRi
-----END CERTIFICATE-----
)";
constexpr std::string_view kOldForm = R"(-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUeZ1pfM2s46V8nrnrKK6JV7BIZ88wCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLY29tbW9uIG5hbWUwHhcNMjYxMTI3MDEzMzUzWhcNMzYxMTI0
MDEzMzUzWjAWMRQwEgYDVQQDDAtjb21tb24gbmFtZTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABKqzzPahldQz/Lh4eCZL6u2+f7rm9LjoqRw8K5g5iSctryt3yfkw
zwxPJwqjjr3WO8iX0QLyc3sVeUz/vFDCbv2jUzBRMB0GA1UdDgQWBBRvr5ydtdJD
oVkfZPoMtFKc6M5kPjAfBgNVHSMEGDAWgBRvr5ydtdJDoVkfZPoMtFKc6M5kPjAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIEHrX6p1NkHgjpJAEX8c
jcIII6jIrTd2naPAWudz+1R9AiEAt/afjdmhuEE9ukbW6GiEMwDcRHjHh6MXh246
uqu+6gc=
-----END CERTIFICATE-----
)";

TEST(Certificate, NamesAndEndOfTheFirstInAChain) {
  const auto facts = read_certificate(std::string(kTwoNames) + std::string(kOldForm));
  ASSERT_TRUE(facts) << facts.error().text;
  EXPECT_THAT(facts->names, ElementsAre("api.example.org", "*.example.org"));
  EXPECT_EQ(to_rfc3339(facts->not_after).substr(0, 19), "2036-11-24T01:33:52");
}

TEST(Certificate, WithoutOtherNamesItIsTheCommonName) {
  const auto facts = read_certificate(kOldForm);
  ASSERT_TRUE(facts) << facts.error().text;
  EXPECT_THAT(facts->names, ElementsAre("common name"));
}

TEST(Certificate, WhatIsNoneIsRefused) {
  std::string cut(kOldForm);
  cut.erase(cut.size() / 2, 8);
  for (const std::string& text : {std::string(), std::string("hello"), cut, std::string(kOldForm.substr(0, 200))})
    EXPECT_EQ(read_certificate(text).error().code, Code::invalid) << text;
}

}   // namespace
}   // namespace agentauri::crypto
