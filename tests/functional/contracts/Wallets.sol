// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// A contract that signs with its owner's key (EIP-1271).
contract KeyWallet {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        address signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
        return signer == owner ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

// Deploys them where everybody can know beforehand.
contract WalletFactory {
    function deploy(address owner, bytes32 salt) external returns (address) {
        return address(new KeyWallet{salt: salt}(owner));
    }
}

// What must never count as a yes.
contract Refuser {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        revert("no");
    }
}
