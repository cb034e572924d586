// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// Emit the events of the three ERC-8004 registries on demand: a stand-in for tests, without the registries' rules.
contract IdentityEvents {
    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    event MetadataSet(uint256 indexed agentId, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue);
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event MetadataUpdate(uint256 _tokenId);
    error ERC721NonexistentToken(uint256 tokenId);

    mapping(uint256 => address) private owners;

    function ownerOf(uint256 agentId) external view returns (address) {
        if (owners[agentId] == address(0)) revert ERC721NonexistentToken(agentId);
        return owners[agentId];
    }

    function transferFrom(address from, address to, uint256 agentId) external {
        require(owners[agentId] == from && from == msg.sender, "not the owner");
        owners[agentId] = to;
        emit Transfer(from, to, agentId);
    }

    function register(uint256 agentId, string calldata uri) external {
        owners[agentId] = msg.sender;
        emit Transfer(address(0), msg.sender, agentId);
        if (bytes(uri).length > 0) emit MetadataUpdate(agentId);
        emit Registered(agentId, uri, msg.sender);
        emit MetadataSet(agentId, "agentWallet", "agentWallet", abi.encodePacked(msg.sender));
    }
}

contract ReputationEvents {
    event NewFeedback(uint256 indexed agentId, address indexed clientAddress, uint64 feedbackIndex, int128 value, uint8 valueDecimals,
        string indexed indexedTag1, string tag1, string tag2, string endpoint, string feedbackURI, bytes32 feedbackHash);
    event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, uint64 indexed feedbackIndex);

    mapping(uint256 => mapping(address => uint64)) public lastIndex;

    function feedback(uint256 agentId, int128 value, uint8 decimals, string calldata tag1, string calldata tag2, string calldata uri) public {
        uint64 index = ++lastIndex[agentId][msg.sender];
        emit NewFeedback(agentId, msg.sender, index, value, decimals, tag1, tag1, tag2, "https://agent.example", uri, keccak256(bytes(uri)));
    }

    // Many logs in one transaction: value first, first+1, …
    function feedbacks(uint256 agentId, int128 first, uint256 count, string calldata tag1) external {
        for (uint256 i = 0; i < count; i++) {
            uint64 index = ++lastIndex[agentId][msg.sender];
            emit NewFeedback(agentId, msg.sender, index, first + int128(int256(i)), 0, tag1, tag1, "", "", "", bytes32(0));
        }
    }

    function revoke(uint256 agentId, uint64 index) external {
        emit FeedbackRevoked(agentId, msg.sender, index);
    }
}

contract ValidationEvents {
    event ValidationRequest(address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash);
    event ValidationResponse(address indexed validatorAddress, uint256 indexed agentId, bytes32 indexed requestHash, uint8 response,
        string responseURI, bytes32 responseHash, string tag);

    function request(address validator, uint256 agentId, string calldata uri) external {
        emit ValidationRequest(validator, agentId, uri, keccak256(bytes(uri)));
    }

    function respond(uint256 agentId, bytes32 requestHash, uint8 response, string calldata tag) external {
        emit ValidationResponse(msg.sender, agentId, requestHash, response, "ipfs://response", bytes32(0), tag);
    }
}
