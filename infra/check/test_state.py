"""The vault key's users are those whose state in the code has the means, and for what it has them."""

from __future__ import annotations

import unittest

import source
from rules_access import VAULT_KEY


def _role(binary: str) -> str:
    return "".join(part.capitalize() for part in binary.split("-")) + "Role"


class State(unittest.TestCase):
    def test_the_vault_key_is_for_what_the_states_hold(self) -> None:
        held: dict[tuple[str, str], set[str]] = {}
        for binary, rights in source.key_rights().items():
            for use in rights:
                held.setdefault(use, set()).add(_role(binary))
        # The template is held to the same table by a rule of its own.
        self.assertEqual(held, VAULT_KEY)

    def test_every_function_is_read(self) -> None:
        rights = source.key_rights()
        self.assertEqual(rights["audit-writer"], set())
        self.assertEqual(rights["grants"], {("kms:Decrypt", "signing")})
        renews = {("kms:Decrypt", "credential"), ("kms:GenerateDataKey", "credential")}
        self.assertEqual(rights["proxy"], renews | {("kms:Decrypt", "signing")})
        self.assertEqual(rights["connect"], renews | {("kms:Decrypt", "signing")})
        self.assertEqual(rights["worker"], renews)
        self.assertEqual(rights["webhook"], {("kms:Decrypt", "webhook")})
        self.assertEqual(rights["revoke"], {("kms:Decrypt", "signing")})
        self.assertEqual(rights["wallet"], set())

    def test_the_wallet_holds_no_key(self) -> None:
        self.assertEqual(source.state_of("WalletService"), {"ports": "Ports", "url": "PublicUrl", "limit": "RateLimit", "exports": "Exports"})

    def test_nothing_of_the_wallets_names_a_door_to_keys(self) -> None:
        text = source.text_of("functions/wallet/src")
        for word in (*source.KEY_RIGHTS, "DataKeys", "data_keys", "KeyWrapper", "Refresher", "Sealed", "reveal", "expose_secret"):
            with self.subTest(word):
                self.assertNotIn(word, text)


if __name__ == "__main__":
    unittest.main()
