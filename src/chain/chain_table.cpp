#include "chain/chain_table.hpp"

#include <algorithm>

namespace agentauri::chain {

const std::vector<KnownChain>& known_chains() {
  constexpr bool kTest = true;
  constexpr bool kMain = false;
  static const std::vector<KnownChain> chains{
      // id, name, key, older prefix, testnet, start block, confirmations, finality depth
      {1, "Ethereum", "ethereumMainnet", "ETHEREUM_MAINNET", kMain, 24'339'871, 1, 65},
      {8453, "Base", "baseMainnet", "BASE_MAINNET", kMain, 41'663'783, 0, 30},
      {2741, "Abstract", "abstractMainnet", "", kMain, 39'596'871, 0, 30},
      {42161, "Arbitrum One", "arbitrumMainnet", "", kMain, 428'895'443, 0, 240},
      {43114, "Avalanche C", "avalancheMainnet", "", kMain, 77'389'000, 1, 30},
      {56, "BNB Smart Chain", "bnbMainnet", "", kMain, 79'027'268, 1, 30},
      {42220, "Celo", "celoMainnet", "", kMain, 58'396'724, 0, 30},
      {100, "Gnosis", "gnosisMainnet", "", kMain, 44'505'010, 1, 30},
      {2345, "GOAT Network", "goatMainnet", "", kMain, 0, 0, 30},
      {59144, "Linea", "lineaMainnet", "LINEA_MAINNET", kMain, 28'662'553, 0, 30},
      {5000, "Mantle", "mantleMainnet", "", kMain, 91'333'846, 0, 30},
      {4326, "MegaETH", "megaethMainnet", "", kMain, 7'833'805, 0, 30},
      {1088, "Metis Andromeda", "metisMainnet", "", kMain, 0, 0, 30},
      {143, "Monad", "monadMainnet", "", kMain, 52'952'790, 1, 30},
      {10, "Optimism", "optimismMainnet", "", kMain, 147'514'947, 0, 30},
      {137, "Polygon PoS", "polygonMainnet", "", kMain, 82'458'484, 1, 200},
      {4663, "Robinhood Chain", "robinhoodMainnet", "", kMain, 0, 0, 30},
      {534352, "Scroll", "scrollMainnet", "", kMain, 29'432'417, 0, 30},
      {1187947933, "SKALE Base", "skaleMainnet", "", kMain, 0, 0, 30},
      {1868, "Soneium", "soneiumMainnet", "", kMain, 0, 0, 30},
      {167000, "Taiko", "taikoMainnet", "", kMain, 4'305'747, 0, 30},
      {196, "X Layer", "xlayerMainnet", "", kMain, 0, 0, 30},
      {1776, "Injective EVM", "injectiveMainnet", "", kMain, 0, 1, 30},
      {16661, "0G", "zeroGMainnet", "", kMain, 0, 1, 30},
      {295, "Hedera", "hederaMainnet", "", kMain, 0, 1, 30},
      {360, "Shape", "shapeMainnet", "", kMain, 0, 0, 30},
      {11155111, "Ethereum Sepolia", "ethereumSepolia", "ETHEREUM_SEPOLIA", kTest, 9'989'393, 0, 65},
      {84532, "Base Sepolia", "baseSepolia", "BASE_SEPOLIA", kTest, 36'304'145, 0, 30},
      {11124, "Abstract testnet", "abstractTestnet", "", kTest, 0, 0, 30},
      {421614, "Arbitrum Sepolia", "arbitrumSepolia", "", kTest, 239'945'838, 0, 240},
      {43113, "Avalanche Fuji", "avalancheFuji", "", kTest, 0, 0, 30},
      {97, "BNB testnet", "bnbTestnet", "", kTest, 77'785'485, 0, 30},
      {11142220, "Celo Sepolia", "celoSepolia", "", kTest, 0, 0, 30},
      {59141, "Linea Sepolia", "lineaSepolia", "LINEA_SEPOLIA", kTest, 24'323'547, 0, 30},
      {5003, "Mantle Sepolia", "mantleSepolia", "", kTest, 34'586'937, 0, 30},
      {6343, "MegaETH testnet", "megaethTestnet", "", kTest, 11'668'749, 0, 30},
      {59902, "Metis Sepolia", "metisSepolia", "", kTest, 0, 0, 30},
      {10143, "Monad testnet", "monadTestnet", "", kTest, 10'391'697, 0, 30},
      {11155420, "OP Sepolia", "optimismSepolia", "", kTest, 34'412'868, 0, 30},
      {80002, "Polygon Amoy", "polygonAmoy", "POLYGON_AMOY", kTest, 33'069'064, 0, 30},
      {46630, "Robinhood testnet", "robinhoodTestnet", "", kTest, 0, 0, 30},
      {534351, "Scroll Sepolia", "scrollSepolia", "", kTest, 16'543'185, 0, 30},
      {324705682, "SKALE Base Sepolia", "skaleSepolia", "", kTest, 0, 0, 30},
      {1946, "Soneium Minato", "soneiumMinato", "", kTest, 0, 0, 30},
      {167013, "Taiko Hoodi", "taikoHoodi", "", kTest, 0, 0, 30},
      {1952, "X Layer testnet", "xlayerTestnet", "", kTest, 0, 0, 30},
      {296, "Hedera testnet", "hederaTestnet", "", kTest, 0, 0, 30},
      {5042002, "Arc testnet", "arcTestnet", "", kTest, 0, 0, 30},
      {1439, "Injective testnet", "injectiveTestnet", "", kTest, 0, 0, 30},
      {16602, "0G Galileo", "zeroGGalileo", "", kTest, 0, 0, 30},
      {11011, "Shape Sepolia", "shapeSepolia", "", kTest, 0, 0, 30},
      {10200, "Gnosis Chiado", "gnosisChiado", "", kTest, 0, 0, 30},
      {48816, "GOAT Testnet3", "goatTestnet3", "", kTest, 0, 0, 30},
  };
  return chains;
}

const KnownChain* find_known_chain(domain::ChainId id) {
  const auto& chains = known_chains();
  const auto found =
      std::find_if(chains.begin(), chains.end(), [id](const KnownChain& chain) { return chain.id == id; });
  return found == chains.end() ? nullptr : &*found;
}

Contracts official_contracts(bool testnet) {
  if (testnet) {
    return {parse_address("0x8004A818BFB912233c491871b3d84c89A494BD9e"),
            parse_address("0x8004B663056A597Dffe9eCcC1965A193B7388713"),
            parse_address("0x8004Cb1BF31DAf7788923b405b754f57acEB4272")};
  }
  return {parse_address("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432"),
          parse_address("0x8004BAa17C55a88189AE136b182e5fdA19dE9b63"),
          parse_address("0x8004Cc8439f36fd5F9F049D9fF86523Df6dAAB58")};
}

}   // namespace agentauri::chain
