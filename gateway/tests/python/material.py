"""Material of keys, wrapped as whoever imports it does, with `cryptography`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding


@dataclass(frozen=True)
class Import:
    """What GetParametersForImport answered."""

    algorithm: str
    token: bytes
    public_key: bytes

    @classmethod
    def begin(cls, kms: object, key: str, algorithm: str = "RSAES_OAEP_SHA_256", spec: str = "RSA_2048") -> Import:
        answer = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
        return cls(algorithm, answer["ImportToken"], answer["PublicKey"])

    def wrap(self, material: bytes) -> bytes:
        """The material under RSA, or under an AES key that is (AWS KMS Developer Guide, "Import key material")."""
        public_key = serialization.load_der_public_key(self.public_key)
        sha = hashes.SHA1() if self.algorithm.endswith("_SHA_1") else hashes.SHA256()
        oaep = padding.OAEP(padding.MGF1(sha), sha, None)
        if not self.algorithm.startswith("RSA_AES_KEY_WRAP"):
            return public_key.encrypt(material, oaep)
        wrapping = os.urandom(32)
        return public_key.encrypt(wrapping, oaep) + aes_key_wrap_with_padding(wrapping, material)

    def give(self, kms: object, key: str, material: bytes, **more: object) -> dict[str, object]:
        """Gives a key this material."""
        more.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
        wrapped = self.wrap(material)
        return kms.import_key_material(KeyId=key, ImportToken=self.token, EncryptedKeyMaterial=wrapped, **more)
